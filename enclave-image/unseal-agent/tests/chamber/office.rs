//! The authority of tests, with the enclaves of this world.

use attestation::{At, Claims, verify};
use chamber_link::Task;
use cluster_manifest::Manifest;
use manifest_makers::{Module, unseal};
pub use manifest_makers::{Office, after, rewrap};
use measurement::Pcr;
use unseal_agent::Trust;

use crate::chamber::Chamber;
use crate::world::{ADMITTED, World, request};

/// PCR8 of the certificate that the cluster's images are signed with, and of another.
pub const SIGNER: Pcr = Pcr::from_bytes([0x51; 48]);
pub const OTHER_SIGNER: Pcr = Pcr::from_bytes([0x52; 48]);

/// What an image believes that measures this authority.
pub fn trusted(office: &Office, world: &World) -> Trust {
    Trust {
        root: world.root(),
        authorities: vec![office.authority()],
    }
}

/// The cluster's own image with this task, under this manifest.
pub async fn own_chamber(
    (world, office): (&World, &Office),
    manifest: Option<String>,
    task: Task,
) -> Chamber {
    let (nsm, trust) = (own_image(world), trusted(office, world));
    Chamber::under(world, nsm, trust, manifest, task).await
}

/// A seal under a permit, by the cluster's own image: the blob.
pub async fn sealed(world: &World, office: &Office) -> Vec<u8> {
    let manifest = Some(office.sign(&permit()));
    let mut chamber = own_chamber((world, office), manifest, Task::Seal(request())).await;
    chamber.sealed().await.unwrap()
}

/// The cluster's own image, told to take this blob from one manifest to the next.
pub async fn rewrapping(
    (world, office): (&World, &Office),
    (previous, next): (&Manifest, &Manifest),
    blob: &[u8],
) -> Chamber {
    let task = rewrap(blob, office.sign(previous));
    own_chamber((world, office), Some(office.sign(next)), task).await
}

/// The cluster's own image, told to open this blob under this manifest.
pub async fn unsealing(
    (world, office): (&World, &Office),
    manifest: &Manifest,
    blob: &[u8],
) -> Chamber {
    let manifest = Some(office.sign(manifest));
    own_chamber((world, office), manifest, unseal(blob)).await
}

/// The admitted image, signed with the cluster's certificate.
pub fn own_image(world: &World) -> Module {
    world.nsm_of(&[(0, ADMITTED), (8, SIGNER)])
}

/// What lets the cluster's image make its master key.
pub fn permit() -> Manifest {
    manifest_makers::permit(SIGNER)
}

/// What lets it unseal the master key with this commitment.
pub fn run_manifest(commitment: [u8; 32]) -> Manifest {
    manifest_makers::run_manifest(SIGNER, commitment)
}

/// What a document says whose root is this world's.
pub fn said(world: &World, document: &[u8]) -> (attestation::Verified, Claims) {
    let proven = verify(document, &world.root(), At::Document).unwrap();
    let claims = Claims::decode(proven.user_data.as_ref().unwrap()).unwrap();
    (proven, claims)
}
