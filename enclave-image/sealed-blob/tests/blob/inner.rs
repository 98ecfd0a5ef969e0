//! The inner layer: one value, one encoding; anything else is refused with the field's name.

use crate::common::{inner, inner_2};
use proptest::prelude::*;
use sealed_blob::{FormatError, InnerBlob, Origin, SealedShare};

fn refused_field(bytes: &[u8]) -> Option<&'static str> {
    match InnerBlob::decode(bytes) {
        Err(FormatError::Field { field, .. } | FormatError::Truncated { field, .. }) => Some(field),
        _ => None,
    }
}

fn origin(blob: &mut InnerBlob, manifest: Option<[u8; 48]>, length: usize) {
    blob.origin = Some(Origin {
        manifest,
        document: vec![1; length],
    });
}

#[test]
fn each_bad_field_is_named() {
    let change = |edit: fn(&mut InnerBlob)| {
        let mut blob = inner_2();
        edit(&mut blob);
        match blob.encode() {
            Err(FormatError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(change(|b| b.cluster_id.clear()), "cluster id");
    assert_eq!(change(|b| b.cluster_id = "a".repeat(46)), "cluster id");
    assert_eq!(change(|b| b.cluster_id = "Prod".into()), "cluster id");
    assert_eq!(change(|b| b.generation = 0), "generation");
    assert_eq!(change(|b| b.threshold = 0), "threshold");
    assert_eq!(change(|b| b.threshold = 3), "threshold");
    assert_eq!(change(|b| b.shares.clear()), "share count");
    assert_eq!(
        change(|b| b.shares = vec![b.shares[0].clone(); 11]),
        "share count"
    );
    assert_eq!(change(|b| b.shares[1].key_arn = "a b".into()), "key ARN");
    assert_eq!(change(|b| b.shares[1].ciphertext.clear()), "ciphertext");
    assert_eq!(
        change(|b| b.shares[0].ciphertext = vec![0; 6145]),
        "ciphertext"
    );
    assert_eq!(change(|b| origin(b, Some([0; 48]), 1)), "manifest digest");
    assert_eq!(change(|b| origin(b, None, 0)), "sealing document");
    assert_eq!(change(|b| origin(b, None, 16_385)), "sealing document");
}

#[test]
fn no_manifest_is_zeros_and_reads_back_as_none() {
    let mut blob = inner_2();
    blob.origin.as_mut().unwrap().manifest = None;
    let bytes = blob.encode().unwrap();
    assert_eq!(
        bytes[57..57 + 48],
        [0; 48],
        "after 57 bytes: docs/sealed-blob.md"
    );
    assert_eq!(InnerBlob::decode(&bytes), Ok(blob));
}

#[test]
fn an_empty_sealing_document_is_refused_when_it_is_read() {
    let mut bytes = inner_2().core().unwrap();
    bytes.extend([0, 0]);
    assert_eq!(refused_field(&bytes), Some("sealing document"));
}

#[test]
fn a_layer_of_one_version_is_none_of_the_other_and_there_is_no_third() {
    let mut bytes = inner_2().encode().unwrap();
    bytes[0] = 1;
    assert!(InnerBlob::decode(&bytes).is_err());
    let mut bytes = inner().encode().unwrap();
    bytes[0] = 2;
    assert!(InnerBlob::decode(&bytes).is_err());
    for found in [0, 3, 255] {
        bytes[0] = found;
        let refused = InnerBlob::decode(&bytes).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("sealed blob, inner layer: version {found}, this build reads version 1 and 2")
        );
    }
}

#[test]
fn a_hostile_length_is_a_short_read_not_an_allocation() {
    let mut bytes = inner().encode().unwrap();
    bytes[1] = 255;
    assert_eq!(refused_field(&bytes), Some("cluster id"));
    let arn_length = 1 + 1 + 17 + 4 + 1 + 1 + 32;
    let mut bytes = inner().encode().unwrap();
    bytes[arn_length..arn_length + 2].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(refused_field(&bytes), Some("key ARN"));
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = inner().encode().unwrap();
    bytes.push(0);
    let document = "sealed blob, inner layer";
    let more = FormatError::Trailing { document, more: 1 };
    assert_eq!(InnerBlob::decode(&bytes), Err(more.clone()));
    let mut bytes = inner_2().encode().unwrap();
    bytes.push(0);
    assert_eq!(InnerBlob::decode(&bytes), Err(more));
}

fn any_inner() -> impl Strategy<Value = InnerBlob> {
    let share = ("[!-~]{1,256}", prop::collection::vec(any::<u8>(), 1..200)).prop_map(
        |(key_arn, ciphertext)| SealedShare {
            key_arn,
            ciphertext,
        },
    );
    let digest = any::<u8>().prop_filter("zeros are none", |byte| *byte != 0);
    let origin = (
        prop::option::of(digest.prop_map(|byte| [byte; 48])),
        prop::collection::vec(any::<u8>(), 1..300),
    )
        .prop_map(|(manifest, document)| Origin { manifest, document });
    (
        "[a-z0-9-]{1,45}",
        1..=u32::MAX,
        prop::collection::vec(share, 1..=10),
        any::<[u8; 32]>(),
        any::<prop::sample::Index>(),
        prop::option::of(origin),
    )
        .prop_map(
            |(cluster_id, generation, shares, commitment, threshold, origin)| {
                let threshold = 1 + u8::try_from(threshold.index(shares.len())).unwrap();
                InnerBlob {
                    cluster_id,
                    generation,
                    threshold,
                    shares,
                    commitment,
                    origin,
                }
            },
        )
}

proptest! {
    #[test]
    fn bytes_and_back_is_the_identity(blob in any_inner()) {
        let bytes = blob.encode().unwrap();
        prop_assert_eq!(InnerBlob::decode(&bytes).unwrap(), blob);
    }

    #[test]
    fn what_decodes_has_one_encoding(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        second in any::<bool>(),
    ) {
        let mut bytes = if second { inner_2() } else { inner() }.encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(blob) = InnerBlob::decode(&bytes) {
            prop_assert_eq!(blob.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..400), version in 1_u8..=2) {
        bytes[0] = version;
        let _ = InnerBlob::decode(&bytes);
    }
}
