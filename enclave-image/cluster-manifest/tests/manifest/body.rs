//! The body: one value, one encoding; anything else is refused with the field's name.

use crate::common::{pcr, permit, run, set};
use cluster_manifest::{Digest, Kind, Manifest};
use proptest::prelude::*;
use wire_format::FormatError;

fn name(refused: FormatError) -> &'static str {
    match refused {
        FormatError::Field { field, .. } | FormatError::Truncated { field, .. } => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_bad_field_is_named() {
    let change = |edit: &dyn Fn(&mut Manifest)| {
        let mut manifest = run();
        edit(&mut manifest);
        name(manifest.encode().unwrap_err())
    };
    assert_eq!(change(&|m| m.cluster_id.clear()), "cluster id");
    assert_eq!(change(&|m| m.cluster_id = "a".repeat(46)), "cluster id");
    assert_eq!(change(&|m| m.cluster_id = "Prod".into()), "cluster id");
    assert_eq!(change(&|m| m.generation = 0), "generation");
    assert_eq!(change(&|m| m.generation = 2), "previous");
    let previous = Some(Digest::from_bytes([1; 48]));
    assert_eq!(change(&|m| m.previous = previous), "previous");
    assert_eq!(change(&|m| m.threshold = 0), "threshold");
    assert_eq!(change(&|m| m.threshold = 3), "threshold");
    assert_eq!(change(&|m| m.keys.clear()), "share count");
    assert_eq!(change(&|m| m.keys = vec![String::new(); 11]), "share count");
    assert_eq!(
        change(&|m| m.keys = vec![String::new(); 256]),
        "share count"
    );
    assert_eq!(change(&|m| m.keys[1] = m.keys[0].clone()), "keys");
    assert_eq!(change(&|m| m.signers = set(1..=9)), "signers");
    assert_eq!(change(&|m| m.signers = set([0])), "signers");
    assert_eq!(change(&|m| m.signers = set([0xff])), "signers");
    assert_eq!(change(&|m| m.sealing_images = set(1..=9)), "sealing images");
    assert_eq!(change(&|m| m.sealing_images = set([0])), "sealing images");
    let nobody = |m: &mut Manifest| {
        m.signers.clear();
        m.sealing_images.clear();
    };
    assert_eq!(change(&nobody), "signers");
}

/// An alias, or part of an ARN, can be pointed at another key by somebody else.
#[test]
fn a_key_is_a_full_arn() {
    for arn in [
        "",
        "alias/a",
        "arn:aws:kms:us-east-1:111122223333:alias/a",
        "arn:aws:kms:us-east-1:111122223333:key/",
        "arn:aws:kms::111122223333:key/a",
        "arn:aws:kms:us-east-1::key/a",
        "arn::kms:us-east-1:111122223333:key/a",
        "arn:aws:iam:us-east-1:111122223333:key/a",
        "arn:aws:kms:us-east-1:111122223333:key/a b",
    ] {
        let mut manifest = run();
        manifest.keys[1] = arn.into();
        assert_eq!(name(manifest.encode().unwrap_err()), "key ARN", "{arn:?}");
    }
}

/// Where the fields of the vector's run manifest begin.
const CLUSTER_ID: usize = 6;
const GENERATION: usize = CLUSTER_ID + 1 + 17;
const THRESHOLD: usize = GENERATION + 4;
const KEYS: usize = THRESHOLD + 2;
const SIGNERS: usize = KEYS + 2 * (2 + 40);
const PREVIOUS: usize = SIGNERS + 2 * (1 + 48);

#[test]
fn bytes_that_no_value_has_are_refused_with_the_fields_name() {
    for (at, value, field) in [
        (0, b'X', "magic"),
        (5, 0, "kind"),
        (5, 3, "kind"),
        (CLUSTER_ID + 1, b'A', "cluster id"),
        (CLUSTER_ID + 1, 0xff, "cluster id"),
        (THRESHOLD, 9, "threshold"),
        (THRESHOLD + 1, 11, "share count"),
        (KEYS + 2, b'b', "key ARN"),
        (PREVIOUS, 1, "previous"),
        (PREVIOUS, 2, "previous"),
    ] {
        let mut bytes = run().encode().unwrap();
        bytes[at] = value;
        let refused = Manifest::decode(&bytes).unwrap_err();
        assert_eq!(name(refused), field, "{at}: {value}");
    }
    let mut bytes = run().encode().unwrap();
    bytes[4] = 2;
    let later = Manifest::decode(&bytes).unwrap_err();
    assert!(matches!(later, FormatError::Version { found: 2, .. }));
    bytes[4] = 1;
    bytes.push(0);
    let trailing = Manifest::decode(&bytes).unwrap_err();
    assert!(matches!(trailing, FormatError::Trailing { more: 1, .. }));
}

#[test]
fn sealers_are_ascending_and_each_is_named_once() {
    let mut manifest = run();
    manifest.signers = set([1, 2]);
    let bytes = manifest.encode().unwrap();
    let lists = SIGNERS + 1;
    for values in [[2, 1], [1, 1]] {
        let mut other = bytes.clone();
        for (at, value) in values.into_iter().enumerate() {
            other[lists + at * 48..lists + (at + 1) * 48].copy_from_slice(pcr(value).as_bytes());
        }
        assert_eq!(name(Manifest::decode(&other).unwrap_err()), "signers");
    }
    assert_eq!(Manifest::decode(&bytes), Ok(manifest));
}

#[test]
fn a_hostile_length_is_a_short_read_not_an_allocation() {
    let mut bytes = run().encode().unwrap();
    bytes[KEYS..KEYS + 2].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(name(Manifest::decode(&bytes).unwrap_err()), "key ARN");
    let mut bytes = run().encode().unwrap();
    bytes[SIGNERS] = 255;
    assert_eq!(name(Manifest::decode(&bytes).unwrap_err()), "signers");
}

#[test]
fn the_kinds_differ_in_their_digest() {
    let digests = [run().digest().unwrap(), permit().digest().unwrap()];
    assert_ne!(digests[0], digests[1]);
    assert_ne!(digests[0].register(), digests[1].register());
    let text = digests[0].to_string();
    assert_eq!(Digest::parse(&text), Ok(digests[0]));
    assert!(Digest::parse(&text.to_uppercase()).is_err());
}

/// Ed25519 keys in KMS sign a body as a whole, and KMS takes 4096 bytes.
#[test]
fn the_longest_body_is_one_that_kms_signs() {
    let mut longest = run();
    longest.cluster_id = "a".repeat(45);
    longest.generation = 2;
    longest.previous = Some(Digest::from_bytes([1; 48]));
    let arn = |at| {
        format!(
            "arn:aws:kms:eu-west-1:111122223333:key/{at}{}",
            "k".repeat(216)
        )
    };
    longest.keys = (0..10).map(arn).collect();
    assert_eq!(longest.keys[0].len(), 256);
    (longest.signers, longest.sealing_images) = (set(1..=8), set(1..=8));
    assert_eq!(longest.encode().unwrap().len(), 3489);
}

fn any_pcrs() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1_u8..0xff, 0..=8)
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let kind = prop_oneof![
        Just(Kind::SealPermit),
        any::<[u8; 32]>().prop_map(|commitment| Kind::Run { commitment }),
    ];
    (
        kind,
        "[a-z0-9-]{1,45}",
        1..=u32::MAX,
        prop::bool::ANY,
        prop::collection::btree_set("[!-~]{1,60}", 1..=10),
        any::<prop::sample::Index>(),
        any_pcrs(),
        any_pcrs(),
        any::<[u8; 48]>(),
    )
        .prop_map(
            |(kind, cluster_id, generation, first, ids, threshold, signers, images, digest)| {
                let generation = if first { 1 } else { generation };
                let keys: Vec<_> = ids
                    .iter()
                    .map(|id| format!("arn:aws:kms:eu-west-1:111122223333:key/{id}"))
                    .collect();
                let threshold = 1 + u8::try_from(threshold.index(keys.len())).unwrap();
                let mut signers = set(signers);
                if signers.is_empty() && images.is_empty() {
                    signers.insert(pcr(7));
                }
                Manifest {
                    kind,
                    cluster_id,
                    generation,
                    threshold,
                    keys,
                    signers,
                    sealing_images: set(images),
                    previous: (generation > 1).then_some(Digest::from_bytes(digest)),
                }
            },
        )
}

proptest! {
    #[test]
    fn bytes_and_back_is_the_identity(manifest in any_manifest()) {
        let bytes = manifest.encode().unwrap();
        prop_assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
    }

    #[test]
    fn what_decodes_has_one_encoding(
        manifest in any_manifest(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut bytes = manifest.encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(decoded) = Manifest::decode(&bytes) {
            prop_assert_eq!(decoded.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn cut_or_prolonged_bodies_are_refused(length in 0_usize..400) {
        let body = run().encode().unwrap();
        let mut bytes = body.clone();
        bytes.resize(length, 0);
        prop_assume!(bytes != body);
        prop_assert!(Manifest::decode(&bytes).is_err());
    }

    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 6..600), kind in 1_u8..=2) {
        bytes[..6].copy_from_slice(&[b'C', b'H', b'M', b'F', 1, kind]);
        let _ = Manifest::decode(&bytes);
    }
}
