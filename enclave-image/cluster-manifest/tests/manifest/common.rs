//! Manifests and authorities that several tests use.

use std::collections::BTreeSet;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use cluster_manifest::{Authority, Kind, Manifest, Signature, SignedManifest};
use measurement::Pcr;

pub const COMMITMENT: [u8; 32] = [0xc0; 32];

/// A register of 48 equal bytes.
pub fn pcr(byte: u8) -> Pcr {
    Pcr::from_bytes([byte; 48])
}

/// The run manifest of the vector in docs/cluster-manifest.md.
pub fn run() -> Manifest {
    let key = |id: &str| format!("arn:aws:kms:us-east-1:111122223333:key/{id}");
    Manifest {
        kind: Kind::Run {
            commitment: COMMITMENT,
        },
        cluster_id: "demo-local-signer".into(),
        generation: 1,
        threshold: 2,
        keys: vec![key("a"), key("b")],
        signers: [pcr(0x88)].into(),
        sealing_images: [pcr(0x11)].into(),
        previous: None,
    }
}

/// The same cluster's seal permit.
pub fn permit() -> Manifest {
    Manifest {
        kind: Kind::SealPermit,
        ..run()
    }
}

/// A key that signs, and its public half.
pub enum Key {
    Ed25519(Ed25519KeyPair),
    P384(EcdsaKeyPair),
}

/// The Ed25519 key whose seed is 32 equal bytes.
pub fn ed25519(byte: u8) -> Key {
    Key::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap())
}

/// A new P-384 key.
pub fn p384() -> Key {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    Key::P384(pair)
}

impl Key {
    pub fn authority(&self) -> Authority {
        let (prefix, key) = match self {
            Self::Ed25519(pair) => ("302a300506032b6570032100", pair.public_key().as_ref()),
            Self::P384(pair) => (
                "3076301006072a8648ce3d020106052b81040022036200",
                pair.public_key().as_ref(),
            ),
        };
        Authority::from_der(&[hex::decode(prefix).unwrap().as_slice(), key].concat()).unwrap()
    }

    pub fn sign(&self, body: &[u8]) -> Signature {
        let bytes = match self {
            Self::Ed25519(pair) => pair.sign(body).as_ref().to_vec(),
            Self::P384(pair) => {
                let signed = pair.sign(&SystemRandom::new(), body);
                signed.unwrap().as_ref().to_vec()
            }
        };
        Signature {
            authority: self.authority().fingerprint(),
            bytes,
        }
    }
}

/// A manifest that these keys signed.
pub fn signed(manifest: &Manifest, keys: &[&Key]) -> SignedManifest {
    let body = manifest.encode().unwrap();
    let signatures = keys.iter().map(|key| key.sign(&body)).collect();
    SignedManifest::new(manifest.clone(), signatures).unwrap()
}

/// Lists without order.
pub fn set(bytes: impl IntoIterator<Item = u8>) -> BTreeSet<Pcr> {
    bytes.into_iter().map(pcr).collect()
}
