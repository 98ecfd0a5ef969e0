use std::collections::BTreeSet as Set;

use chamber_link::SealRequest;
use cluster_manifest::{Kind, Manifest};
use measurement::Measurement;
use sealed_blob::SealedShare;

use super::*;
use crate::tests::image;

fn arn(region: &str) -> String {
    format!("arn:aws:kms:{region}:111122223333:key/a")
}

fn manifest(region: &str) -> String {
    let manifest = Manifest {
        kind: Kind::SealPermit,
        cluster_id: "c".into(),
        generation: 1,
        threshold: 1,
        keys: vec![arn(region)],
        signers: Set::from([Pcr::from_bytes([9; 48])]),
        sealing_images: Set::new(),
        previous: None,
    };
    let signed = SignedManifest::new(manifest, Vec::new()).unwrap();
    signed.to_text().unwrap()
}

/// A blob for [`image`], bound to these other registers too.
fn blob(region: &str, registers: &[(u8, Pcr)]) -> String {
    let inner = InnerBlob {
        cluster_id: "c".into(),
        generation: 1,
        threshold: 1,
        shares: vec![SealedShare {
            key_arn: arn(region),
            ciphertext: vec![1],
        }],
        commitment: [0; 32],
        origin: None,
    };
    let measurement = Measurement {
        image_sha384: image().pcr0,
        registers: registers.iter().copied().collect(),
    };
    BASE64.encode(sealed_blob::bind(&inner, &measurement).unwrap())
}

fn found(manifest: Option<String>, task: Task) -> Vec<String> {
    let start = Start {
        region: "us-east-1".into(),
        manifest,
        task,
    };
    of(&start, &image()).into_iter().collect()
}

fn unseal(blob: String) -> Task {
    let cluster_id = None;
    Task::Unseal { blob, cluster_id }
}

#[test]
fn they_are_those_of_manifest_and_blob() {
    let both = found(Some(manifest("eu-west-1")), unseal(blob("eu-west-2", &[])));
    assert_eq!(both, [arn("eu-west-1"), arn("eu-west-2")]);
    let zero = Pcr::from_bytes([0; 48]);
    let registers = [(1, image().pcr1), (2, image().pcr2), (8, zero)];
    let pinned = unseal(blob("eu-west-2", &registers));
    assert_eq!(found(None, pinned), [arn("eu-west-2")]);
}

#[test]
fn they_are_those_of_a_seal_request() {
    let request = SealRequest {
        cluster_id: "c".into(),
        generation: 1,
        threshold: 1,
        keys: vec![arn("eu-west-3")],
    };
    assert_eq!(found(None, Task::Seal(request)), [arn("eu-west-3")]);
}

#[test]
fn they_are_those_of_both_generations() {
    let task = Task::Rewrap {
        blob: blob("eu-west-2", &[]),
        previous: manifest("eu-west-3"),
    };
    let regions = ["eu-west-1", "eu-west-2", "eu-west-3"];
    assert_eq!(found(Some(manifest("eu-west-1")), task), regions.map(arn));
}

#[test]
fn what_cannot_be_read_names_none() {
    let other = Pcr::from_bytes([7; 48]);
    let other_image = unseal(blob("eu-west-2", &[(8, other)]));
    let unknown_register = unseal(blob("eu-west-2", &[(3, other)]));
    for task in [
        unseal("no base64".into()),
        unseal("AAAA".into()),
        other_image,
        unknown_register,
        Task::Rewrap {
            blob: "AAAA".into(),
            previous: "AAAA".into(),
        },
    ] {
        assert_eq!(found(Some("AAAA".into()), task), Vec::<String>::new());
    }
}
