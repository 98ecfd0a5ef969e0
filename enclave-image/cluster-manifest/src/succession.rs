//! Whether a manifest may take the master key over from another, and from which blob: the one rule of a rewrap.

use std::fmt;

use attestation::Root;
use sealed_blob::InnerBlob;

use crate::{Kind, Manifest, NotSuccessor, check_blob};

/// Whether this (verified) manifest is that of the generation after `previous`, which it vouches for by its digest: whoever
/// signed `previous` need not be believed any more.
pub fn check_successor(next: &Manifest, previous: &Manifest) -> Result<(), NotSuccessor> {
    let given = previous.digest()?;
    if next.previous != Some(given) {
        let named = next.previous.map(|digest| digest.to_string());
        return Err(NotSuccessor::Previous {
            named: named.unwrap_or_else(|| "none".to_owned()),
            given,
        });
    }
    same("cluster id", &next.cluster_id, &previous.cluster_id)?;
    // As one number wider: there is no generation after the last, and none is the same as the one before.
    let expected = u64::from(previous.generation) + 1;
    same("generation", &u64::from(next.generation), &expected)?;
    let commitment = commitment_of(previous, "of the generation before")?;
    let named = commitment_of(next, "of the new generation")?;
    same("commitment", &hex::encode(named), &hex::encode(commitment))
}

/// Whether the master key in this blob may be wrapped anew under `next`.
pub fn check_rewrap(
    next: &Manifest,
    previous: &Manifest,
    inner: &InnerBlob,
    root: &Root,
) -> Result<(), NotSuccessor> {
    // Before the commitments are compared: those of such a blob and of its successor cannot be the same.
    if inner.origin.is_none() {
        return Err(NotSuccessor::Format1);
    }
    check_successor(next, previous)?;
    check_blob(previous, inner, root)?;
    Ok(())
}

fn commitment_of(manifest: &Manifest, which: &'static str) -> Result<[u8; 32], NotSuccessor> {
    match manifest.kind {
        Kind::Run { commitment } => Ok(commitment),
        Kind::SealPermit => Err(NotSuccessor::Permit(which)),
    }
}

fn same<T: PartialEq + fmt::Display + ?Sized>(
    field: &'static str,
    found: &T,
    expected: &T,
) -> Result<(), NotSuccessor> {
    if found == expected {
        return Ok(());
    }
    Err(NotSuccessor::Field {
        field,
        found: found.to_string(),
        expected: expected.to_string(),
    })
}
