//! An authority, and what it signs.

use attestation::{At, Claims, verify};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::Task;
use cluster_manifest::{Authority, Kind, Manifest, Signature, SignedManifest};
use measurement::Pcr;
use unseal_agent::Trust;

use crate::chamber::Chamber;
use crate::world::{ADMITTED, CLUSTER, TestNsm, World, key, request};

/// PCR8 of the certificate that the cluster's images are signed with, and of another.
pub const SIGNER: Pcr = Pcr::from_bytes([0x51; 48]);
pub const OTHER_SIGNER: Pcr = Pcr::from_bytes([0x52; 48]);

/// Before the 32 bytes of an Ed25519 key, by RFC 8410.
const SPKI: &str = "302a300506032b6570032100";

pub struct Office(Ed25519KeyPair);

impl Office {
    pub fn open() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

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

    /// What an image believes that measures this authority.
    pub fn trusted(&self, world: &World) -> Trust {
        Trust {
            root: world.root(),
            authorities: vec![self.authority()],
        }
    }

    /// A seal under a permit, by the cluster's own image: the blob.
    pub async fn sealed(&self, world: &World) -> Vec<u8> {
        let task = Task::Seal(request());
        let nsm = own_image(world);
        let manifest = Some(self.sign(&permit()));
        let mut chamber = Chamber::under(world, nsm, self.trusted(world), manifest, task).await;
        chamber.sealed().await.unwrap()
    }

    /// The cluster's own image, told to take this blob from one manifest to the next.
    pub async fn rewrapping(
        &self,
        world: &World,
        (previous, next): (&Manifest, &Manifest),
        blob: &[u8],
    ) -> Chamber {
        let task = rewrap(blob, self.sign(previous));
        let (nsm, trust) = (own_image(world), self.trusted(world));
        Chamber::under(world, nsm, trust, Some(self.sign(next)), task).await
    }

    /// The cluster's own image, told to open this blob under this manifest.
    pub async fn unsealing(&self, world: &World, manifest: &Manifest, blob: &[u8]) -> Chamber {
        let task = Task::Unseal {
            blob: BASE64.encode(blob),
            cluster_id: None,
        };
        let (nsm, trust) = (own_image(world), self.trusted(world));
        Chamber::under(world, nsm, trust, Some(self.sign(manifest)), task).await
    }
}

/// What a host says that wants a new generation of this blob.
pub fn rewrap(blob: &[u8], previous: String) -> Task {
    let blob = BASE64.encode(blob);
    Task::Rewrap { blob, previous }
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

/// The admitted image, signed with the cluster's certificate.
pub fn own_image(world: &World) -> TestNsm {
    world.nsm_of(&[(0, ADMITTED), (8, SIGNER)])
}

/// What lets the cluster's image make its master key.
pub fn permit() -> Manifest {
    Manifest {
        kind: Kind::SealPermit,
        cluster_id: CLUSTER.into(),
        generation: 1,
        threshold: 2,
        keys: ["a", "b", "c"].map(key).to_vec(),
        signers: [SIGNER].into(),
        sealing_images: [].into(),
        previous: None,
    }
}

/// What lets it unseal the master key with this commitment.
pub fn run_manifest(commitment: [u8; 32]) -> Manifest {
    Manifest {
        kind: Kind::Run { commitment },
        ..permit()
    }
}

/// What a document says whose root is this world's.
pub fn said(world: &World, document: &[u8]) -> (attestation::Verified, Claims) {
    let proven = verify(document, &world.root(), At::Document).unwrap();
    let claims = Claims::decode(proven.user_data.as_ref().unwrap()).unwrap();
    (proven, claims)
}
