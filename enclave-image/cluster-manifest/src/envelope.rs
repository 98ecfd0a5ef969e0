//! A body with its signatures: how a manifest travels to an enclave.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire_format::{FormatError, Reader, put_long, put_short};

use crate::body::DOCUMENT;
use crate::{Authority, Digest, Fingerprint, Manifest, ManifestError, Signature};

/// Signatures that one manifest carries at most.
pub const MAX_SIGNATURES: usize = 8;

/// A manifest with its signatures; nothing of it is believed before [`SignedManifest::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    body: Vec<u8>,
    manifest: Manifest,
    signatures: Vec<Signature>,
}

impl SignedManifest {
    /// A manifest with these signatures over its body.
    pub fn new(manifest: Manifest, signatures: Vec<Signature>) -> Result<Self, FormatError> {
        if signatures.len() > MAX_SIGNATURES {
            return Err(too_many(signatures.len()));
        }
        Ok(Self {
            body: manifest.encode()?,
            manifest,
            signatures,
        })
    }

    /// What it would say, once verified.
    pub const fn unverified(&self) -> &Manifest {
        &self.manifest
    }

    /// The signatures, good or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Digest of the body.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.body)
    }

    /// The manifest, where at least one of these authorities signed it.
    pub fn verify(&self, authorities: &[Authority]) -> Result<&Manifest, ManifestError> {
        let good = |authority: &Authority| {
            let own = authority.fingerprint();
            self.signatures.iter().any(|signature| {
                signature.authority == own && authority.verifies(&self.body, &signature.bytes)
            })
        };
        if authorities.iter().any(good) {
            return Ok(&self.manifest);
        }
        Err(ManifestError::Signature {
            signed_by: self.signatures.iter().map(|s| s.authority).collect(),
            believed: authorities.iter().map(Authority::fingerprint).collect(),
        })
    }

    /// One line of base64: the value of `CHAMBER_MANIFEST`.
    pub fn to_text(&self) -> Result<String, FormatError> {
        let mut out = Vec::new();
        put_long(&mut out, DOCUMENT, "body", &self.body)?;
        out.push(u8::try_from(self.signatures.len()).map_err(|_| too_many(self.signatures.len()))?);
        for signature in &self.signatures {
            out.extend_from_slice(&signature.authority.0);
            put_short(&mut out, DOCUMENT, "signature", &signature.bytes)?;
        }
        Ok(BASE64.encode(out))
    }

    /// Reads what [`SignedManifest::to_text`] writes.
    pub fn from_text(text: &str) -> Result<Self, ManifestError> {
        let bytes = BASE64.decode(text.trim());
        let bytes = bytes.map_err(|error| ManifestError::Base64(error.to_string()))?;
        let mut reader = Reader::new(DOCUMENT, &bytes);
        let body = reader.long("body")?.to_vec();
        let count = reader.byte("signature count")?;
        if usize::from(count) > MAX_SIGNATURES {
            return Err(too_many(count.into()).into());
        }
        let signatures = (0..count)
            .map(|_| {
                Ok(Signature {
                    authority: Fingerprint(reader.array("authority")?),
                    bytes: reader.short("signature")?.to_vec(),
                })
            })
            .collect::<Result<_, FormatError>>()?;
        reader.end()?;
        Ok(Self {
            manifest: Manifest::decode(&body)?,
            body,
            signatures,
        })
    }
}

fn too_many(found: usize) -> FormatError {
    FormatError::field(
        DOCUMENT,
        "signatures",
        format!("{found} signatures"),
        "at most 8",
    )
}
