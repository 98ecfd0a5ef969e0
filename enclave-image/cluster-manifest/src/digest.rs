//! The digest of a manifest, and the register that an enclave extends with it.

use std::fmt;

use aws_lc_rs::digest::{SHA384, digest};
use measurement::{Pcr, PcrError};

/// SHA-384 of a manifest's body; signing it again does not change it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 48]);

impl Digest {
    /// Of these bytes.
    pub fn of(body: &[u8]) -> Self {
        Self(sha384(body))
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 48]) -> Self {
        Self(bytes)
    }

    /// 96 lower-case hex characters.
    pub fn parse(text: &str) -> Result<Self, PcrError> {
        Pcr::parse(text).map(|pcr| Self(*pcr.as_bytes()))
    }

    /// The 48 bytes.
    pub const fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }

    /// PCR16 of an enclave that took this manifest: SHA-384 over 48 zero bytes and the digest, as the Nitro Security
    /// Module extends a register that was never extended.
    pub fn register(&self) -> Pcr {
        Pcr::from_bytes(sha384(&[&[0; 48][..], &self.0].concat()))
    }
}

fn sha384(bytes: &[u8]) -> [u8; 48] {
    let mut out = [0; 48];
    out.copy_from_slice(digest(&SHA384, bytes).as_ref());
    out
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
