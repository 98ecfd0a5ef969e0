//! The inner layer: one value, one encoding; anything else is refused with the field's name.

use crate::common::inner;
use proptest::prelude::*;
use sealed_blob::{FormatError, InnerBlob, SealedShare};

fn refused_field(bytes: &[u8]) -> Option<&'static str> {
    match InnerBlob::decode(bytes) {
        Err(FormatError::Field { field, .. } | FormatError::Truncated { field }) => Some(field),
        _ => None,
    }
}

#[test]
fn each_bad_field_is_named() {
    let change = |edit: fn(&mut InnerBlob)| {
        let mut blob = inner();
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
    assert_eq!(InnerBlob::decode(&bytes), Err(FormatError::Trailing(1)));
}

fn any_inner() -> impl Strategy<Value = InnerBlob> {
    let share = ("[!-~]{1,256}", prop::collection::vec(any::<u8>(), 1..200)).prop_map(
        |(key_arn, ciphertext)| SealedShare {
            key_arn,
            ciphertext,
        },
    );
    (
        "[a-z0-9-]{1,45}",
        1..=u32::MAX,
        prop::collection::vec(share, 1..=10),
        any::<[u8; 32]>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(cluster_id, generation, shares, commitment, threshold)| {
            let threshold = 1 + u8::try_from(threshold.index(shares.len())).unwrap();
            InnerBlob {
                cluster_id,
                generation,
                threshold,
                shares,
                commitment,
            }
        })
}

proptest! {
    #[test]
    fn bytes_and_back_is_the_identity(blob in any_inner()) {
        let bytes = blob.encode().unwrap();
        prop_assert_eq!(InnerBlob::decode(&bytes).unwrap(), blob);
    }

    #[test]
    fn what_decodes_has_one_encoding(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = inner().encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(blob) = InnerBlob::decode(&bytes) {
            prop_assert_eq!(blob.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..400)) {
        bytes[0] = 1;
        let _ = InnerBlob::decode(&bytes);
    }
}
