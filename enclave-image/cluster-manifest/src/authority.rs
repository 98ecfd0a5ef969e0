//! The keys that sign manifests: Ed25519 or P-384, by their `SubjectPublicKeyInfo`.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey};

/// RFC 8410: the DER of `SubjectPublicKeyInfo` before the 32 bytes of an Ed25519 key.
const ED25519_SPKI: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// RFC 5480: the DER of `SubjectPublicKeyInfo` before the 97 bytes of an uncompressed point of P-384.
const P384_SPKI: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
const ED25519_KEY: usize = 32;
const P384_KEY: usize = 97;

/// Why bytes are no authority's public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Not PEM.
    #[error("not PEM ({0}); expected one block PUBLIC KEY, as `openssl pkey -pubout` writes it")]
    Pem(String),
    /// Another block, such as a private key.
    #[error("a block {0:?}; expected PUBLIC KEY, as `openssl pkey -pubout` writes it")]
    Block(String),
    /// Another kind of key.
    #[error("a key of another kind; expected Ed25519, or P-384 as an uncompressed point")]
    Kind,
}

/// What an authority signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 over the body; 64 bytes.
    Ed25519,
    /// ECDSA on P-384 with SHA-384 of the body, which is the manifest's digest; r then s, 96 bytes.
    P384,
}

/// An authority's public key.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    algorithm: Algorithm,
    spki: Vec<u8>,
}

/// SHA-256 of an authority's DER `SubjectPublicKeyInfo`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// One authority's signature over a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose it is.
    pub authority: Fingerprint,
    /// 64 bytes (Ed25519) or 96 (P-384, r then s).
    pub bytes: Vec<u8>,
}

impl Authority {
    /// From DER `SubjectPublicKeyInfo`, of the two kinds and the one encoding that there is of each.
    pub fn from_der(spki: &[u8]) -> Result<Self, AuthorityError> {
        let of = |prefix: &[u8], length| {
            let key = spki.strip_prefix(prefix);
            key.is_some_and(|key| key.len() == length)
        };
        let algorithm = if of(ED25519_SPKI, ED25519_KEY) {
            Algorithm::Ed25519
        } else if of(P384_SPKI, P384_KEY) {
            Algorithm::P384
        } else {
            return Err(AuthorityError::Kind);
        };
        Ok(Self {
            algorithm,
            spki: spki.to_vec(),
        })
    }

    /// From PEM with one block `PUBLIC KEY`.
    pub fn from_pem(text: &str) -> Result<Self, AuthorityError> {
        let block = pem::parse(text).map_err(|error| AuthorityError::Pem(error.to_string()))?;
        if block.tag() != "PUBLIC KEY" {
            return Err(AuthorityError::Block(block.tag().to_owned()));
        }
        Self::from_der(block.contents())
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// DER `SubjectPublicKeyInfo`.
    pub fn der(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, &self.spki).as_ref());
        Fingerprint(out)
    }

    /// Whether these are its signature's bytes over a body.
    pub fn verifies(&self, body: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            Algorithm::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, self.key(ED25519_SPKI)).verify(body, signature)
            }
            Algorithm::P384 => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, self.key(P384_SPKI))
                    .verify(body, signature)
            }
        };
        verified.is_ok()
    }

    fn key(&self, prefix: &[u8]) -> &[u8] {
        self.spki.strip_prefix(prefix).unwrap_or_default()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({:?} {})", self.algorithm, self.fingerprint())
    }
}

impl Fingerprint {
    /// 64 lower-case hex characters.
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out).ok()?;
        let found = Self(out);
        (found.to_string() == text).then_some(found)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
