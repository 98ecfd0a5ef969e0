//! The claims that gate a rollover.

use std::collections::BTreeSet;
use std::fmt;

use super::reader::Reader;
use super::{ClaimsError, Digest};

/// As in the sealed blob.
const MAX_CLUSTER_ID: usize = 45;
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
    pub(super) fn encode(&self) -> Result<Vec<u8>, ClaimsError> {
        self.check()?;
        let length = self.cluster_id.len();
        // `check` has bounded it far below this.
        let length =
            u8::try_from(length).map_err(|_| field("cluster id length", length, "1 to 45"))?;
        let mut out = vec![length];
        out.extend_from_slice(self.cluster_id.as_bytes());
        out.extend_from_slice(&self.blob);
        out.extend_from_slice(&self.commitment);
        out.extend_from_slice(&self.manifest.unwrap_or([0; 48]));
        out.push(if self.unsealed { UNSEALED } else { SEALED });
        let bits = self.opened.iter().fold(0_u16, |bits, i| bits | bit(*i));
        out.extend_from_slice(&bits.to_be_bytes());
        Ok(out)
    }

    /// Reads what follows the purpose.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ClaimsError> {
        let length = reader.byte("cluster id length")?;
        let cluster_id = reader.take(length.into(), "cluster id")?;
        let cluster_id = std::str::from_utf8(cluster_id)
            .map_err(|_| field("cluster id", "bytes that are no text", "ASCII"))?
            .to_owned();
        let blob = reader.array("blob digest")?;
        let commitment = reader.array("commitment")?;
        let manifest = Some(reader.array("manifest digest")?).filter(|digest| *digest != [0; 48]);
        let unsealed = match reader.byte("state")? {
            SEALED => false,
            UNSEALED => true,
            other => return Err(field("state", other, "0 (sealed) or 1 (unsealed)")),
        };
        let bits = u16::from_be_bytes(reader.array("opened shares")?);
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
    fn check(&self) -> Result<(), ClaimsError> {
        let id = self.cluster_id.as_bytes();
        let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if id.is_empty() || id.len() > MAX_CLUSTER_ID || !id.iter().all(plain) {
            let found = format!("{:?}", self.cluster_id);
            let allowed = "1 to 45 characters of a-z, 0-9 and '-'";
            return Err(field("cluster id", found, allowed));
        }
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

fn field(field: &'static str, found: impl fmt::Display, allowed: &'static str) -> ClaimsError {
    ClaimsError::Field {
        field,
        found: found.to_string(),
        allowed,
    }
}
