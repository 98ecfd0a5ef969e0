//! The claims that gate a rollover.

use std::collections::BTreeSet;
use std::fmt;

use wire_format::{FormatError, Reader, check_cluster_id, put_short};

use super::{DOCUMENT, Digest};

const SEALED: u8 = 0;
const UNSEALED: u8 = 1;
/// Bits of the field of opened shares.
const MAX_SHARE: u8 = 16;

/// The state of an enclave that holds a cluster's key, or tries to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateClaims {
    /// The cluster's id as in the sealed blob: 1 to 45 characters of a-z, 0-9 and `-`.
    pub cluster_id: String,
    /// SHA-384 of the sealed blob as the host gave it, outer layer included.
    pub blob: Digest,
    /// The master key's commitment, not zero once unsealed; zero while sealed.
    pub commitment: [u8; 32],
    /// Digest of the cluster's manifest, not zero; none where this image measures no authority or was given no manifest.
    pub manifest: Option<Digest>,
    /// Whether the master key is recovered.
    pub unsealed: bool,
    /// Indices of the shares that this enclave opened, each 1 to 16.
    pub opened: BTreeSet<u8>,
}

impl GateClaims {
    /// What follows the purpose.
    pub(super) fn encode(&self) -> Result<Vec<u8>, FormatError> {
        self.check()?;
        let mut out = Vec::new();
        put_short(&mut out, DOCUMENT, "cluster id", self.cluster_id.as_bytes())?;
        out.extend_from_slice(&self.blob);
        out.extend_from_slice(&self.commitment);
        out.extend_from_slice(&self.manifest.unwrap_or([0; 48]));
        out.push(if self.unsealed { UNSEALED } else { SEALED });
        let bits = self.opened.iter().fold(0_u16, |bits, i| bits | bit(*i));
        out.extend_from_slice(&bits.to_be_bytes());
        Ok(out)
    }

    /// Reads what follows the purpose.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let cluster_id = reader.short("cluster id")?;
        let cluster_id = reader.text("cluster id", cluster_id)?;
        let blob = reader.array("blob digest")?;
        let commitment = reader.array("commitment")?;
        let manifest = Some(reader.array("manifest digest")?).filter(|digest| *digest != [0; 48]);
        let unsealed = match reader.byte("state")? {
            SEALED => false,
            UNSEALED => true,
            other => return Err(field("state", other, "0 (sealed) or 1 (unsealed)")),
        };
        let bits = reader.u16("opened shares")?;
        let opened = (1..=MAX_SHARE).filter(|i| bits & bit(*i) != 0).collect();
        let claims = Self {
            cluster_id,
            blob,
            commitment,
            manifest,
            unsealed,
            opened,
        };
        claims.check()?;
        Ok(claims)
    }

    /// The rules that hold for every field, checked in both directions.
    fn check(&self) -> Result<(), FormatError> {
        check_cluster_id(DOCUMENT, &self.cluster_id)?;
        if self.manifest == Some([0; 48]) {
            return Err(field("manifest digest", "zeros", "a digest, or none"));
        }
        if let Some(index) = self.opened.iter().find(|i| bit(**i) == 0) {
            return Err(field("opened shares", index, "indices 1 to 16"));
        }
        match (self.unsealed, self.commitment == [0; 32]) {
            (true, true) => Err(field("commitment", "zeros", "not zero once unsealed")),
            (false, false) => Err(field("commitment", "a value", "zero while sealed")),
            _ => Ok(()),
        }
    }
}

/// Bit i-1 stands for share i; no bit for an index that the field has no room for.
const fn bit(index: u8) -> u16 {
    match index {
        1..=MAX_SHARE => 1 << (index - 1),
        _ => 0,
    }
}

fn field(field: &'static str, found: impl fmt::Display, allowed: &'static str) -> FormatError {
    FormatError::field(DOCUMENT, field, found, allowed)
}
