//! What kind of key a key is, and the private half of those that sign.

use aws_lc_rs::agreement::{ECDH_P384, PrivateKey};
use aws_lc_rs::digest::{Digest, SHA384};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

/// RFC 8410 and RFC 5480: the DER of `SubjectPublicKeyInfo` before the key.
const ED25519_SPKI: &str = "302a300506032b6570032100";
const P384_SPKI: &str = "3076301006072a8648ce3d020106052b81040022036200";

/// The kinds of keys that this emulator makes, named as `KeySpec` names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySpec {
    /// Encrypts and decrypts.
    #[default]
    #[serde(rename = "SYMMETRIC_DEFAULT")]
    Symmetric,
    /// Signs with ECDSA and SHA-384.
    #[serde(rename = "ECC_NIST_P384")]
    P384,
    /// Signs with Ed25519.
    #[serde(rename = "ECC_NIST_EDWARDS25519")]
    Ed25519,
}

/// What is signed: a message, or a digest of one.
pub(crate) enum Subject<'a> {
    Message(&'a [u8]),
    Digest(&'a [u8]),
}

impl KeySpec {
    /// By its name on the wire.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut known = [Self::Symmetric, Self::P384, Self::Ed25519].into_iter();
        known.find(|spec| spec.name() == name)
    }

    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "SYMMETRIC_DEFAULT",
            Self::P384 => "ECC_NIST_P384",
            Self::Ed25519 => "ECC_NIST_EDWARDS25519",
        }
    }

    /// The one `KeyUsage` that such keys have here.
    pub(crate) const fn usage(self) -> &'static str {
        match self {
            Self::Symmetric => "ENCRYPT_DECRYPT",
            Self::P384 | Self::Ed25519 => "SIGN_VERIFY",
        }
    }

    /// `SigningAlgorithms`; the prehashed form of Ed25519 is listed as AWS lists it, and not carried out.
    pub(crate) const fn algorithms(self) -> &'static [&'static str] {
        match self {
            Self::Symmetric => &[],
            Self::P384 => &["ECDSA_SHA_384"],
            Self::Ed25519 => &["ED25519_PH_SHA_512", "ED25519_SHA_512"],
        }
    }

    /// DER `SubjectPublicKeyInfo` of the key with this id; `None` for keys that have none.
    pub(crate) fn public_key(self, id: &str) -> Option<Vec<u8>> {
        let (prefix, key) = match self {
            Self::Symmetric => return None,
            Self::P384 => (P384_SPKI, p384(id)?.public_key().as_ref().to_vec()),
            Self::Ed25519 => (ED25519_SPKI, ed25519(id)?.public_key().as_ref().to_vec()),
        };
        Some([hex::decode(prefix).ok()?, key].concat())
    }

    /// A signature as KMS gives it: DER for ECDSA, 64 bytes for Ed25519; `None` where there is none of this.
    pub(crate) fn sign(self, id: &str, subject: &Subject<'_>) -> Option<Vec<u8>> {
        let signature = match (self, subject) {
            (Self::P384, Subject::Message(message)) => {
                p384(id)?.sign(&SystemRandom::new(), message).ok()?
            }
            (Self::P384, Subject::Digest(bytes)) => {
                let digest = Digest::import_less_safe(bytes, &SHA384).ok()?;
                p384(id)?.sign_digest(&digest).ok()?
            }
            (Self::Ed25519, Subject::Message(message)) => ed25519(id)?.sign(message),
            _ => return None,
        };
        Some(signature.as_ref().to_vec())
    }
}

fn ed25519(id: &str) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&material(id)[..32]).ok()
}

fn p384(id: &str) -> Option<EcdsaKeyPair> {
    let mut scalar = material(id);
    // Below the group's order, which begins with 48 set bits.
    scalar[0] &= 0x7f;
    let public = PrivateKey::from_private_key(&ECDH_P384, &scalar).ok()?;
    let public = public.compute_public_key().ok()?;
    let algorithm = &ECDSA_P384_SHA384_ASN1_SIGNING;
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &scalar, public.as_ref()).ok()
}

/// From the key's id alone, so that a restarted emulator signs as before.
fn material(id: &str) -> [u8; 48] {
    let root = hmac::Key::new(hmac::HMAC_SHA384, b"kms-emulator signing key, version 1");
    let mut bytes = [0; 48];
    bytes.copy_from_slice(hmac::sign(&root, id.as_bytes()).as_ref());
    bytes
}
