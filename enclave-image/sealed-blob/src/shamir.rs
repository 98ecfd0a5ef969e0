//! The master key and its Shamir shares over GF(256).

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use vsss_rs::Gf256;
use wire_format::MAX_SHARES;
use zeroize::Zeroizing;

use crate::ShamirError;

/// Length of the master key.
pub const KEY_BYTES: usize = 32;
/// Length of a share: its index, then one byte for each of the key's.
pub const SHARE_BYTES: usize = 1 + KEY_BYTES;

/// The 32 bytes that everything protects. Wiped when dropped; has no `Debug` and no `Clone`.
///
/// Boxed, because a move of an array leaves its bytes behind where nobody wipes them.
pub struct MasterKey(Box<Zeroizing<[u8; KEY_BYTES]>>);

impl MasterKey {
    /// A key that `fill` writes into its place: 32 uniformly random bytes.
    pub fn fill<E>(fill: impl FnOnce(&mut [u8; KEY_BYTES]) -> Result<(), E>) -> Result<Self, E> {
        let mut bytes = Box::new(Zeroizing::new([0; KEY_BYTES]));
        fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, for handing them to the workload and for deriving from them.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// One share: index (1 to 10) and 32 bytes. Wiped when dropped.
pub struct Share(Zeroizing<Vec<u8>>);

impl Share {
    /// Takes over the bytes of a share, as KMS gave them back.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, ShamirError> {
        match bytes.first() {
            Some(1..=MAX_SHARES) if bytes.len() == SHARE_BYTES => Ok(Self(bytes)),
            index => Err(ShamirError::Share(index.copied())),
        }
    }

    /// The share's point of the polynomial.
    pub fn index(&self) -> u8 {
        self.0[0]
    }

    /// All 33 bytes, for wrapping them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Splits a key into `count` shares with the indices 1 to `count`, of which any `threshold` open it.
///
/// `random` fills a slice with random bytes, or fails; after a failure no share comes out.
pub fn split(
    key: &MasterKey,
    threshold: u8,
    count: u8,
    random: impl FnMut(&mut [u8]) -> Result<(), ShamirError>,
) -> Result<Vec<Share>, ShamirError> {
    if threshold == 0 || threshold > count || count > MAX_SHARES {
        return Err(ShamirError::Scheme { threshold, count });
    }
    if threshold == 1 {
        return copies(key, count);
    }
    let mut source = Source {
        random,
        failed: None,
    };
    let shares = Gf256::split_bytes(threshold.into(), count.into(), key.expose(), &mut source);
    let shares: Vec<_> = shares
        .map_err(|_| ShamirError::Scheme { threshold, count })?
        .into_iter()
        .map(Zeroizing::new)
        .collect();
    match source.failed {
        Some(error) => Err(error),
        None => shares.into_iter().map(Share::new).collect(),
    }
}

/// A polynomial of degree 0: every share is the key itself.
fn copies(key: &MasterKey, count: u8) -> Result<Vec<Share>, ShamirError> {
    (1..=count)
        .map(|index| {
            let mut bytes = Zeroizing::new(Vec::with_capacity(SHARE_BYTES));
            bytes.push(index);
            bytes.extend_from_slice(key.expose());
            Share::new(bytes)
        })
        .collect()
}

/// Combines exactly the first `threshold` shares.
///
/// The result is *not* checked: a share that was tampered with gives another key. Use [`crate::recover`].
pub fn combine(shares: &[&Share], threshold: u8) -> Result<MasterKey, ShamirError> {
    let needed = usize::from(threshold);
    let chosen = match shares.get(..needed) {
        Some(chosen) if needed > 0 => chosen,
        _ => {
            return Err(ShamirError::TooFew {
                found: shares.len(),
                needed: threshold,
            });
        }
    };
    let mut seen = [false; 1 + MAX_SHARES as usize];
    for share in chosen {
        if std::mem::replace(&mut seen[usize::from(share.index())], true) {
            return Err(ShamirError::Duplicate(share.index()));
        }
    }
    MasterKey::fill(|key| {
        if let [share] = chosen {
            key.copy_from_slice(&share.expose()[1..]);
        } else {
            let points = Points(chosen.iter().map(|share| share.expose().to_vec()).collect());
            let bytes = Gf256::combine_bytes(&points.0).map_err(|_| ShamirError::Share(None))?;
            key.copy_from_slice(&Zeroizing::new(bytes));
        }
        Ok(())
    })
}

/// Copies of shares in the library's type, wiped when dropped.
struct Points(Vec<Vec<u8>>);

impl Drop for Points {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// A source of random bytes in the library's terms, which know no failure: it is remembered here.
struct Source<F> {
    random: F,
    failed: Option<ShamirError>,
}

impl<F: FnMut(&mut [u8]) -> Result<(), ShamirError>> TryRng for Source<F> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        if let Err(error) = (self.random)(out) {
            self.failed = Some(error);
        }
        Ok(())
    }
}

impl<F: FnMut(&mut [u8]) -> Result<(), ShamirError>> TryCryptoRng for Source<F> {}
