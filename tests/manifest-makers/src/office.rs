//! The authority, and what it signs.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{SealRequest, Task};
use cluster_manifest::{Authority, Kind, Manifest, Signature, SignedManifest};
use measurement::Pcr;

/// The one cluster.
pub const CLUSTER: &str = "demo-local-signer";
/// The account of its keys.
pub const ACCOUNT: &str = "111122223333";

/// Before the 32 bytes of an Ed25519 key, by RFC 8410.
const SPKI: &str = "302a300506032b6570032100";

/// Who signs manifests.
pub struct Office(Ed25519KeyPair);

impl Office {
    /// One with a key of its own, which no image measures unless it is told to.
    pub fn open() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    /// The one with this private key, PKCS #8 in PEM.
    pub fn of_pem(text: &str) -> Self {
        let block = pem::parse(text).unwrap();
        Self(Ed25519KeyPair::from_pkcs8_maybe_unchecked(block.contents()).unwrap())
    }

    /// What images measure of it.
    pub fn authority(&self) -> Authority {
        let mut spki = hex::decode(SPKI).unwrap();
        spki.extend_from_slice(self.0.public_key().as_ref());
        Authority::from_der(&spki).unwrap()
    }

    /// As the host passes it on.
    pub fn sign(&self, manifest: &Manifest) -> String {
        let signature = Signature {
            authority: self.authority().fingerprint(),
            bytes: self.0.sign(&manifest.encode().unwrap()).as_ref().to_vec(),
        };
        let signed = SignedManifest::new(manifest.clone(), vec![signature]);
        signed.unwrap().to_text().unwrap()
    }
}

/// The ARN of a key.
pub fn key(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")
}

/// Two of three shares.
pub fn request() -> SealRequest {
    SealRequest {
        cluster_id: CLUSTER.into(),
        generation: 1,
        threshold: 2,
        keys: ["a", "b", "c"].map(key).to_vec(),
    }
}

/// What lets images under this certificate make the cluster's master key.
pub fn permit(signer: Pcr) -> Manifest {
    let request = request();
    Manifest {
        kind: Kind::SealPermit,
        cluster_id: request.cluster_id,
        generation: request.generation,
        threshold: request.threshold,
        keys: request.keys,
        signers: [signer].into(),
        sealing_images: [].into(),
        previous: None,
    }
}

/// What lets images under this certificate unseal the master key with this commitment.
pub fn run_manifest(signer: Pcr, commitment: [u8; 32]) -> Manifest {
    Manifest {
        kind: Kind::Run { commitment },
        ..permit(signer)
    }
}

/// What an authority signs after this manifest: these keys, and so many of them.
pub fn after(previous: &Manifest, threshold: u8, ids: &[&str]) -> Manifest {
    Manifest {
        generation: previous.generation + 1,
        previous: Some(previous.digest().unwrap()),
        threshold,
        keys: ids.iter().map(|id| key(id)).collect(),
        ..previous.clone()
    }
}

/// What a host says that wants this blob opened, of whatever cluster.
pub fn unseal(blob: &[u8]) -> Task {
    Task::Unseal {
        blob: BASE64.encode(blob),
        cluster_id: None,
    }
}

/// What a host says that wants a new generation of this blob.
pub fn rewrap(blob: &[u8], previous: String) -> Task {
    let blob = BASE64.encode(blob);
    Task::Rewrap { blob, previous }
}
