//! The inner layer: whose master key it is, its shares as KMS ciphertexts, the commitment, and where it was sealed.

use std::fmt;

use wire_format::{
    FormatError, Reader, check_cluster_id, check_key_arn, check_scheme, put_long, put_short,
};

const DOCUMENT: &str = "sealed blob, inner layer";
const VERSION_1: u8 = 1;
const VERSION_2: u8 = 2;
/// KMS's limit of a `CiphertextBlob`.
pub(crate) const MAX_CIPHERTEXT: usize = 6144;
/// SHA-384, as the security module's registers.
pub(crate) const DIGEST_BYTES: usize = 48;
/// The security module's limit of an attestation document.
pub(crate) const MAX_DOCUMENT: usize = 16_384;

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
    /// HMAC-SHA-256 by the master key over the cluster: see [`crate::commitment`].
    pub commitment: [u8; 32],
    /// Where it was sealed; a layer of version 1 does not say.
    pub origin: Option<Origin>,
}

/// What a layer of version 2 says of the enclave that sealed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// Digest of the cluster manifest that it was sealed under; none where the image measures no authority.
    pub manifest: Option<[u8; DIGEST_BYTES]>,
    /// That enclave's attestation document over [`InnerBlob::core`]: 1 to 16384 bytes.
    pub document: Vec<u8>,
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

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").finish_non_exhaustive()
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
        let mut out = self.core()?;
        if let Some(origin) = &self.origin {
            check_document(&origin.document)?;
            put_long(&mut out, DOCUMENT, "sealing document", &origin.document)?;
        }
        Ok(out)
    }

    /// What the sealing document speaks of: everything before it. A layer of version 1 is its own core.
    pub fn core(&self) -> Result<Vec<u8>, FormatError> {
        self.check()?;
        let version = self.origin.as_ref().map_or(VERSION_1, |_| VERSION_2);
        let mut out = vec![version];
        put_short(&mut out, DOCUMENT, "cluster id", self.cluster_id.as_bytes())?;
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.push(self.threshold);
        out.push(self.count()?);
        out.extend_from_slice(&self.commitment);
        if let Some(origin) = &self.origin {
            out.extend_from_slice(&origin.manifest.unwrap_or([0; DIGEST_BYTES]));
        }
        for share in &self.shares {
            put_long(&mut out, DOCUMENT, "key ARN", share.key_arn.as_bytes())?;
            put_long(&mut out, DOCUMENT, "ciphertext", &share.ciphertext)?;
        }
        Ok(out)
    }

    /// Reads the bytes of this layer; any other bytes are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(DOCUMENT, bytes);
        let version = reader.byte("inner version")?;
        if version != VERSION_1 && version != VERSION_2 {
            return Err(FormatError::Version {
                document: DOCUMENT,
                found: version,
                known: "1 and 2",
            });
        }
        let cluster_id = reader.short("cluster id")?;
        let cluster_id = reader.text("cluster id", cluster_id)?;
        let generation = reader.u32("generation")?;
        let threshold = reader.byte("threshold")?;
        let count = reader.byte("share count")?;
        check_scheme(DOCUMENT, threshold, count)?;
        let commitment = reader.array("commitment")?;
        let manifest = match version {
            VERSION_1 => None,
            _ => Some(reader.array("manifest digest")?),
        };
        let shares = (0..count)
            .map(|_| read_share(&mut reader))
            .collect::<Result<_, _>>()?;
        let origin = manifest
            .map(|digest| read_origin(&mut reader, digest))
            .transpose()?;
        reader.end()?;
        let inner = Self {
            cluster_id,
            generation,
            threshold,
            shares,
            commitment,
            origin,
        };
        inner.check()?;
        Ok(inner)
    }

    fn count(&self) -> Result<u8, FormatError> {
        let count = self.shares.len();
        u8::try_from(count)
            .map_err(|_| FormatError::field(DOCUMENT, "share count", count, "1 to 10"))
    }

    /// The rules that hold for every field, checked in both directions.
    fn check(&self) -> Result<(), FormatError> {
        check_scheme(DOCUMENT, self.threshold, self.count()?)?;
        check_cluster_id(DOCUMENT, &self.cluster_id)?;
        if self.generation == 0 {
            return Err(FormatError::field(DOCUMENT, "generation", 0, "1 and up"));
        }
        // Zeros stand for no manifest; nothing hashes to them.
        let manifest = self.origin.as_ref().and_then(|origin| origin.manifest);
        if manifest == Some([0; DIGEST_BYTES]) {
            let found = "48 zero bytes";
            return Err(FormatError::field(
                DOCUMENT,
                "manifest digest",
                found,
                "a digest, or none",
            ));
        }
        self.shares.iter().try_for_each(SealedShare::check)
    }
}

impl SealedShare {
    fn check(&self) -> Result<(), FormatError> {
        check_key_arn(DOCUMENT, &self.key_arn)?;
        if self.ciphertext.is_empty() || self.ciphertext.len() > MAX_CIPHERTEXT {
            let found = format!("{} bytes", self.ciphertext.len());
            return Err(FormatError::field(
                DOCUMENT,
                "ciphertext",
                found,
                "1 to 6144 bytes",
            ));
        }
        Ok(())
    }
}

fn check_document(document: &[u8]) -> Result<(), FormatError> {
    if document.is_empty() || document.len() > MAX_DOCUMENT {
        let found = format!("{} bytes", document.len());
        return Err(FormatError::field(
            DOCUMENT,
            "sealing document",
            found,
            "1 to 16384 bytes",
        ));
    }
    Ok(())
}

fn read_share(reader: &mut Reader<'_>) -> Result<SealedShare, FormatError> {
    let key_arn = reader.long("key ARN")?;
    Ok(SealedShare {
        key_arn: reader.text("key ARN", key_arn)?,
        ciphertext: reader.long("ciphertext")?.to_vec(),
    })
}

fn read_origin(reader: &mut Reader<'_>, digest: [u8; DIGEST_BYTES]) -> Result<Origin, FormatError> {
    let document = reader.long("sealing document")?;
    check_document(document)?;
    Ok(Origin {
        manifest: (digest != [0; DIGEST_BYTES]).then_some(digest),
        document: document.to_vec(),
    })
}
