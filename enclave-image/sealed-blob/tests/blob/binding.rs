//! The outer layer: what it is bound to, and what opens it.

use crate::common::{inner, inner_2, measurement, pcr};
use measurement::Measurement;
use proptest::prelude::*;
use sealed_blob::{FormatError, MAX_BYTES, OpenError, Origin, SealedShare, bind, open};

#[test]
fn binding_twice_gives_the_same_bytes_and_another_content_another_nonce() {
    let one = bind(&inner(), &measurement()).unwrap();
    assert_eq!(one, bind(&inner(), &measurement()).unwrap());
    let mut other = inner();
    other.generation = 2;
    let two = bind(&other, &measurement()).unwrap();
    assert_eq!(one[..18], two[..18], "same header");
    assert_ne!(one[18..30], two[18..30], "another nonce");
}

#[test]
fn another_image_gets_a_typed_refusal_that_names_both() {
    let blob = bind(&inner(), &measurement()).unwrap();
    let mut other = measurement();
    other.image_sha384 = pcr(0x12);
    let refused = open(&blob, |index| other.register(index).copied());
    assert_eq!(
        refused,
        Err(OpenError::OtherMeasurement {
            bound: measurement().id(),
            own: other.id(),
            registers: vec![0, 8],
        })
    );
}

#[test]
fn a_further_register_counts_as_much_as_the_image() {
    let blob = bind(&inner(), &measurement()).unwrap();
    let mut other = measurement();
    other.registers.insert(8, pcr(0x89));
    let refused = open(&blob, |index| other.register(index).copied());
    assert!(matches!(refused, Err(OpenError::OtherMeasurement { .. })));
    let image_only = Measurement::image(pcr(0x11));
    let refused = open(&blob, |index| image_only.register(index).copied());
    assert_eq!(refused, Err(OpenError::MissingRegister { index: 8 }));
}

#[test]
fn a_forged_measurement_id_does_not_open_it() {
    let mut blob = bind(&inner(), &measurement()).unwrap();
    let mut other = measurement();
    other.image_sha384 = pcr(0x12);
    blob[5..15].copy_from_slice(other.id().as_bytes());
    let refused = open(&blob, |index| other.register(index).copied());
    assert_eq!(refused, Err(OpenError::Altered));
}

#[test]
fn a_later_version_is_told_from_garbage() {
    let mut blob = bind(&inner(), &measurement()).unwrap();
    blob[4] = 2;
    let refused = open(&blob, |_| None);
    assert!(matches!(
        refused,
        Err(OpenError::Format(FormatError::Version { found: 2, .. }))
    ));
}

#[test]
fn registers_outside_of_0_to_31_are_not_bound() {
    let mut odd = measurement();
    odd.registers.insert(32, pcr(1));
    assert!(matches!(
        bind(&inner(), &odd),
        Err(FormatError::Field {
            field: "registers",
            ..
        })
    ));
}

/// PCR16 is of cluster and generation: a blob stays bound to its image when the manifest changes.
#[test]
fn the_manifests_register_is_never_among_them() {
    let mut under = measurement();
    under.registers.insert(16, pcr(0x16));
    let plain = bind(&inner_2(), &measurement()).unwrap();
    assert_eq!(bind(&inner_2(), &under).unwrap(), plain);
    let mut second = plain.clone();
    second.splice(15..18, [3, 0, 8, 16]);
    let refused = open(&second, |index| under.register(index).copied()).unwrap_err();
    assert!(
        refused.to_string().contains("registers: [0, 8, 16]"),
        "{refused}"
    );
}

#[test]
fn the_longest_blob_fits_one_environment_variable_and_one_more_byte_is_refused() {
    let mut longest = inner();
    longest.cluster_id = "a".repeat(45);
    longest.shares = (0..10)
        .map(|at| SealedShare {
            key_arn: format!("{at}{}", "k".repeat(255)),
            ciphertext: vec![1; 6144],
        })
        .collect();
    longest.origin = Some(Origin {
        manifest: Some([1; 48]),
        document: vec![1; 16_384],
    });
    let mut all = Measurement::image(pcr(1));
    all.registers = (1..32).map(|index| (index, pcr(index))).collect();
    let mut blob = bind(&longest, &all).unwrap();
    assert_eq!((blob.len(), MAX_BYTES), (80_634, 80_634));
    assert!(blob.len().div_ceil(3) * 4 + "TEE_AUTO_UNSEAL_BLOB=".len() < 128 * 1024);
    assert_eq!(
        open(&blob, |index| all.register(index).copied()),
        Ok(longest)
    );
    blob.push(0);
    assert!(matches!(
        open(&blob, |index| all.register(index).copied()),
        Err(OpenError::Format(FormatError::Field {
            field: "length",
            ..
        }))
    ));
}

proptest! {
    #[test]
    fn a_flipped_bit_anywhere_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut blob = bind(&inner_2(), &measurement()).unwrap();
        let at = at.index(blob.len());
        blob[at] ^= 1 << bit;
        // Every register is known, so that a changed list of registers comes as far as it can.
        let opened = open(&blob, |index| Some(measurement().register(index).copied().unwrap_or(pcr(index))));
        prop_assert!(opened.is_err());
    }

    #[test]
    fn cut_or_prolonged_blobs_are_refused(length in 0_usize..400) {
        let blob = bind(&inner(), &measurement()).unwrap();
        let mut bytes = blob.clone();
        bytes.resize(length, 0);
        prop_assume!(bytes != blob);
        prop_assert!(open(&bytes, |index| measurement().register(index).copied()).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), keep_magic in any::<bool>()) {
        let mut bytes = bytes;
        if keep_magic {
            bytes.splice(..bytes.len().min(5), *b"CHSB\x01");
        }
        prop_assert!(open(&bytes, |index| Some(pcr(index))).is_err());
    }
}
