//! Splitting, combining, and getting the key back past tampered shares.

use crate::common::{inner, inner_2, key};
use proptest::prelude::*;
use sealed_blob::{
    InnerBlob, MasterKey, RecoverError, ShamirError, Share, combine, commitment,
    commitment_of_format_1, recover, split,
};
use zeroize::Zeroizing;

/// The operating system's random bytes.
fn random(out: &mut [u8]) -> Result<(), ShamirError> {
    aws_lc_rs::rand::fill(out).map_err(|_| ShamirError::Random)
}

fn scheme(key: &MasterKey, threshold: u8, count: u8) -> (InnerBlob, Vec<Share>) {
    let shares = split(key, threshold, count, random).unwrap();
    let mut blob = inner_2();
    blob.threshold = threshold;
    blob.shares = vec![blob.shares[0].clone(); count.into()];
    blob.commitment = commitment(key, &blob.cluster_id);
    (blob, shares)
}

fn tampered(share: &Share) -> Share {
    let mut bytes = Zeroizing::new(share.expose().to_vec());
    // All bytes: equal changes of one byte could cancel each other out.
    let mut noise = [0; 32];
    random(&mut noise).unwrap();
    for (byte, noise) in bytes[1..].iter_mut().zip(noise) {
        *byte ^= noise;
    }
    Share::new(bytes).unwrap()
}

#[test]
fn a_tampered_share_combines_silently_but_is_caught_and_named() {
    let (blob, mut shares) = scheme(&key(7), 2, 3);
    shares[0] = tampered(&shares[0]);
    let garbage = combine(&[&shares[0], &shares[1]], 2).unwrap();
    assert_ne!(
        garbage.expose(),
        key(7).expose(),
        "why there is a commitment"
    );
    let recovered = recover(&blob, &shares).ok().unwrap();
    assert_eq!(recovered.key.expose(), key(7).expose());
    assert_eq!(recovered.spoiled, [1]);
}

#[test]
fn too_many_tampered_shares_are_refused_by_the_commitment() {
    let (blob, mut shares) = scheme(&key(7), 2, 3);
    shares[0] = tampered(&shares[0]);
    shares[2] = tampered(&shares[2]);
    assert_eq!(
        recover(&blob, &shares).err(),
        Some(RecoverError::Commitment {
            indices: vec![1, 2, 3],
            threshold: 2
        })
    );
}

#[test]
fn shares_of_another_cluster_are_refused_and_of_another_wrapping_are_not() {
    let (mut blob, shares) = scheme(&key(7), 2, 2);
    blob.generation += 1;
    assert!(recover(&blob, &shares).is_ok(), "one key, wrapped anew");
    blob.cluster_id.push('x');
    assert!(matches!(
        recover(&blob, &shares),
        Err(RecoverError::Commitment { .. })
    ));
}

#[test]
fn a_layer_of_version_1_has_a_commitment_of_its_generation() {
    let shares = split(&key(7), 2, 2, random).unwrap();
    let mut blob = inner();
    assert_eq!(
        blob.commitment,
        commitment_of_format_1(&key(7), &blob.cluster_id, 1)
    );
    assert_ne!(blob.commitment, commitment(&key(7), &blob.cluster_id));
    assert!(recover(&blob, &shares).is_ok());
    for spoil in [
        (|blob: &mut InnerBlob| blob.generation += 1) as fn(&mut InnerBlob),
        |blob| blob.cluster_id.push('x'),
        |blob| blob.origin = inner_2().origin,
        |blob| blob.commitment = inner_2().commitment,
    ] {
        spoil(&mut blob);
        let recovered = recover(&blob, &shares);
        assert!(matches!(recovered, Err(RecoverError::Commitment { .. })));
        blob = inner();
    }
}

#[test]
fn bad_schemes_and_shares_are_refused() {
    for (threshold, count) in [(0, 3), (4, 3), (2, 11), (0, 0)] {
        assert_eq!(
            split(&key(1), threshold, count, random).err(),
            Some(ShamirError::Scheme { threshold, count })
        );
    }
    for bytes in [vec![], vec![0; 33], vec![1; 32], vec![11; 33]] {
        let index = bytes.first().copied();
        let refused = Share::new(Zeroizing::new(bytes));
        assert_eq!(refused.err(), Some(ShamirError::Share(index)));
    }
    let shares = split(&key(1), 2, 3, random).unwrap();
    assert_eq!(
        combine(&[&shares[0], &shares[0]], 2).err(),
        Some(ShamirError::Duplicate(1))
    );
    assert_eq!(
        combine(&[&shares[0]], 2).err(),
        Some(ShamirError::TooFew {
            found: 1,
            needed: 2
        })
    );
}

#[test]
fn no_share_comes_out_of_a_failing_random_source() {
    let mut calls = 0;
    let failing = |out: &mut [u8]| {
        calls += 1;
        match calls {
            1..=10 => random(out),
            _ => Err(ShamirError::Random),
        }
    };
    assert_eq!(
        split(&key(1), 2, 3, failing).err(),
        Some(ShamirError::Random)
    );
}

#[test]
fn fewer_shares_than_the_threshold_say_nothing_of_the_key() {
    // Any two shares of three fit every key: the first byte takes all values over many splits.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..8000 {
        let shares = split(&key(7), 3, 3, random).unwrap();
        seen.insert(combine(&[&shares[0], &shares[1]], 2).unwrap().expose()[0]);
    }
    assert_eq!(seen.len(), 256);
}

proptest! {
    #[test]
    fn any_threshold_of_shares_gives_the_key_back(
        bytes in any::<[u8; 32]>(),
        count in 1_u8..=10,
        threshold in any::<prop::sample::Index>(),
        order in any::<u64>(),
    ) {
        let threshold = 1 + u8::try_from(threshold.index(count.into())).unwrap();
        let key = MasterKey::fill(|out| {
            *out = bytes;
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
        let shares = split(&key, threshold, count, random).unwrap();
        let mut chosen: Vec<&Share> = shares.iter().collect();
        chosen.rotate_left(usize::try_from(order % u64::from(count)).unwrap());
        let combined = combine(&chosen, threshold).unwrap();
        prop_assert_eq!(combined.expose(), &bytes);
    }

    #[test]
    fn the_key_survives_as_many_tampered_shares_as_there_are_spare_ones(
        count in 1_u8..=7,
        threshold in any::<prop::sample::Index>(),
        spoil in any::<u8>(),
    ) {
        let threshold = 1 + u8::try_from(threshold.index(count.into())).unwrap();
        let (blob, mut shares) = scheme(&key(9), threshold, count);
        let spoiled: Vec<u8> = (1..=count).filter(|i| (spoil >> *i) & 1 == 1).collect();
        prop_assume!(spoiled.len() <= usize::from(count - threshold));
        for index in &spoiled {
            let at = usize::from(*index) - 1;
            shares[at] = tampered(&shares[at]);
        }
        let recovered = recover(&blob, &shares).ok().unwrap();
        prop_assert!(recovered.key.expose() == key(9).expose());
        prop_assert_eq!(recovered.spoiled, spoiled);
    }
}
