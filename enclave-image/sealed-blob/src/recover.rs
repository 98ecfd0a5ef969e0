//! From opened shares to the committed master key, past shares that were tampered with.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::{
    InnerBlob, MasterKey, RecoverError, ShamirError, Share, combine, commitment,
    commitment_of_format_1,
};

/// A master key that fits its commitment.
pub struct Recovered {
    /// The key.
    pub key: MasterKey,
    /// Indices of shares that do not fit: somebody tampered with them. Tampering that is chosen to cancel out may
    /// shift the blame to sound shares, but never changes the key.
    pub spoiled: Vec<u8>,
}

/// Finds `threshold` shares that give the committed key, and names those that do not belong to it.
///
/// At most 252 combinations (five of ten), so no set of shares makes this slow.
pub fn recover(inner: &InnerBlob, shares: &[Share]) -> Result<Recovered, RecoverError> {
    let needed = usize::from(inner.threshold);
    if shares.len() < needed || needed == 0 {
        return Err(RecoverError::Shares(ShamirError::TooFew {
            found: shares.len(),
            needed: inner.threshold,
        }));
    }
    let mut chosen: Vec<usize> = (0..needed).collect();
    loop {
        let subset: Vec<&Share> = chosen.iter().map(|at| &shares[*at]).collect();
        let key = combine(&subset, inner.threshold)?;
        if fits(&key, inner) {
            let spoiled = spoiled(inner, shares, &chosen)?;
            return Ok(Recovered { key, spoiled });
        }
        if !next_combination(&mut chosen, shares.len()) {
            return Err(RecoverError::Commitment {
                indices: shares.iter().map(Share::index).collect(),
                threshold: inner.threshold,
            });
        }
    }
}

fn fits(key: &MasterKey, inner: &InnerBlob) -> bool {
    let own = match inner.origin {
        Some(_) => commitment(key, &inner.cluster_id),
        None => commitment_of_format_1(key, &inner.cluster_id, inner.generation),
    };
    verify_slices_are_equal(&own, &inner.commitment).is_ok()
}

/// The shares outside of the good set that do not give the key when they stand in for one of it.
fn spoiled(inner: &InnerBlob, shares: &[Share], good: &[usize]) -> Result<Vec<u8>, RecoverError> {
    let mut found = Vec::new();
    for (at, share) in shares.iter().enumerate() {
        if good.contains(&at) {
            continue;
        }
        let mut subset: Vec<&Share> = good[1..].iter().map(|at| &shares[*at]).collect();
        subset.push(share);
        if !fits(&combine(&subset, inner.threshold)?, inner) {
            found.push(share.index());
        }
    }
    Ok(found)
}

/// The next `chosen.len()` of `count` positions in lexicographic order; false after the last.
fn next_combination(chosen: &mut [usize], count: usize) -> bool {
    let size = chosen.len();
    let Some(at) = (0..size).rev().find(|at| chosen[*at] < count - size + at) else {
        return false;
    };
    chosen[at] += 1;
    for next in at + 1..size {
        chosen[next] = chosen[next - 1] + 1;
    }
    true
}
