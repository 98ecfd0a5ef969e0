//! The inner layer: whose master key it is, its shares as KMS ciphertexts, and the commitment.

use std::fmt;

use crate::reader::Reader;
use crate::{FormatError, MAX_SHARES};

const VERSION: u8 = 1;
/// `ChamberEnclaveRole-<cluster id>` has to fit into IAM's 64 characters.
pub(crate) const MAX_CLUSTER_ID: usize = 45;
/// Longer than any key ARN that AWS hands out (about 90 characters).
pub(crate) const MAX_KEY_ARN: usize = 256;
/// KMS's limit of a `CiphertextBlob`.
pub(crate) const MAX_CIPHERTEXT: usize = 6144;

/// The inner layer. The share at position `i` has the Shamir index `i + 1`.
#[derive(Clone, PartialEq, Eq)]
pub struct InnerBlob {
    /// Cluster that the master key belongs to: 1 to 45 of `a-z`, `0-9` and `-`.
    pub cluster_id: String,
    /// Counts the wrappings of one master key: 1 after the first seal.
    pub generation: u32,
    /// How many shares open the master key.
    pub threshold: u8,
    /// One to ten shares.
    pub shares: Vec<SealedShare>,
    /// HMAC-SHA-256 by the master key over cluster and generation: see [`crate::commitment`].
    pub commitment: [u8; 32],
}

/// One share under one KMS key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedShare {
    /// Full ARN of the key: printable ASCII, at most 256 bytes.
    pub key_arn: String,
    /// KMS's `CiphertextBlob`, 1 to 6144 bytes.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for InnerBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.shares.iter().map(|share| &share.key_arn).collect();
        f.debug_struct("InnerBlob")
            .field("cluster_id", &self.cluster_id)
            .field("generation", &self.generation)
            .field("threshold", &self.threshold)
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SealedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedShare")
            .field("key_arn", &self.key_arn)
            .finish_non_exhaustive()
    }
}

impl InnerBlob {
    /// The bytes of this layer. Every valid value has exactly one encoding.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        self.check()?;
        let mut out = vec![VERSION];
        // `check` has bounded every length below its width.
        out.push(u8::try_from(self.cluster_id.len()).map_err(|_| FormatError::Crypto)?);
        out.extend_from_slice(self.cluster_id.as_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.push(self.threshold);
        out.push(self.count()?);
        out.extend_from_slice(&self.commitment);
        for share in &self.shares {
            for bytes in [share.key_arn.as_bytes(), &share.ciphertext] {
                let length = u16::try_from(bytes.len()).map_err(|_| FormatError::Crypto)?;
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
        Ok(out)
    }

    /// Reads the bytes of this layer; any other bytes are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        match reader.byte("inner version")? {
            VERSION => {}
            found => {
                return Err(FormatError::Version {
                    layer: "inner",
                    found,
                    known: VERSION,
                });
            }
        }
        let length = reader.byte("cluster id length")?;
        let cluster_id = text("cluster id", reader.take(length.into(), "cluster id")?)?;
        let generation = reader.u32("generation")?;
        let threshold = reader.byte("threshold")?;
        let count = reader.byte("share count")?;
        check_scheme(threshold, count)?;
        let commitment = reader.array("commitment")?;
        let shares = (0..count)
            .map(|_| read_share(&mut reader))
            .collect::<Result<_, _>>()?;
        reader.end()?;
        let inner = Self {
            cluster_id,
            generation,
            threshold,
            shares,
            commitment,
        };
        inner.check()?;
        Ok(inner)
    }

    fn count(&self) -> Result<u8, FormatError> {
        u8::try_from(self.shares.len())
            .map_err(|_| field("share count", self.shares.len(), "1 to 10"))
    }

    /// The rules that hold for every field, checked in both directions.
    fn check(&self) -> Result<(), FormatError> {
        check_scheme(self.threshold, self.count()?)?;
        let id = self.cluster_id.as_bytes();
        let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if id.is_empty() || id.len() > MAX_CLUSTER_ID || !id.iter().all(plain) {
            return Err(field(
                "cluster id",
                format!("{:?}", self.cluster_id),
                "1 to 45 characters of a-z, 0-9 and '-'",
            ));
        }
        if self.generation == 0 {
            return Err(field("generation", 0, "1 and up"));
        }
        self.shares.iter().try_for_each(SealedShare::check)
    }
}

impl SealedShare {
    fn check(&self) -> Result<(), FormatError> {
        let arn = self.key_arn.as_bytes();
        if arn.is_empty() || arn.len() > MAX_KEY_ARN || !arn.iter().all(u8::is_ascii_graphic) {
            return Err(field(
                "key ARN",
                format!("{:?}", self.key_arn),
                "1 to 256 printable ASCII characters",
            ));
        }
        if self.ciphertext.is_empty() || self.ciphertext.len() > MAX_CIPHERTEXT {
            let found = format!("{} bytes", self.ciphertext.len());
            return Err(field("ciphertext", found, "1 to 6144 bytes"));
        }
        Ok(())
    }
}

fn check_scheme(threshold: u8, count: u8) -> Result<(), FormatError> {
    if count == 0 || count > MAX_SHARES {
        return Err(field("share count", count, "1 to 10"));
    }
    if threshold == 0 || threshold > count {
        return Err(field("threshold", threshold, "1 to the number of shares"));
    }
    Ok(())
}

fn read_share(reader: &mut Reader<'_>) -> Result<SealedShare, FormatError> {
    let length = reader.u16("key ARN length")?;
    let key_arn = text("key ARN", reader.take(length.into(), "key ARN")?)?;
    let length = reader.u16("ciphertext length")?;
    let ciphertext = reader.take(length.into(), "ciphertext")?.to_vec();
    Ok(SealedShare {
        key_arn,
        ciphertext,
    })
}

fn text(name: &'static str, bytes: &[u8]) -> Result<String, FormatError> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| field(name, "bytes that are no text", "ASCII"))?;
    Ok(text.to_owned())
}

fn field(field: &'static str, found: impl fmt::Display, allowed: &'static str) -> FormatError {
    FormatError::Field {
        field,
        found: found.to_string(),
        allowed,
    }
}
