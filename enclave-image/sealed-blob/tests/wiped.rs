//! A master key and its shares: no memory that is freed has them.
#![expect(clippy::unwrap_used, reason = "a test")]

use freed_memory::{FreedMemory, freed_with};
use sealed_blob::{
    InnerBlob, MasterKey, SealedShare, Share, combine, commitment_of_format_1, recover, split,
};
use zeroize::Zeroizing;

#[global_allocator]
static MEMORY: FreedMemory = FreedMemory;

const KEY: [u8; 32] = *b"the master key, which is 32 long";

fn key() -> MasterKey {
    let made = MasterKey::fill(|bytes| {
        bytes.copy_from_slice(&KEY);
        Ok::<_, ()>(())
    });
    made.unwrap()
}

/// The same shares each time.
fn shares(threshold: u8) -> Vec<Share> {
    let mut next = 1_u8;
    let random = |out: &mut [u8]| {
        for byte in out {
            next = next.wrapping_mul(5).wrapping_add(3);
            *byte = next;
        }
        Ok(())
    };
    split(&key(), threshold, 5, random).unwrap()
}

fn inner(threshold: u8) -> InnerBlob {
    let sealed = |index: usize| SealedShare {
        key_arn: format!("key {index}"),
        ciphertext: vec![1],
    };
    InnerBlob {
        cluster_id: "one".into(),
        generation: 1,
        threshold,
        shares: (1..=5).map(sealed).collect(),
        commitment: commitment_of_format_1(&key(), "one", 1),
        origin: None,
    }
}

#[test]
fn key_and_shares_are_wiped_once_they_are_split_combined_and_recovered() {
    for threshold in 1..=5 {
        let known = shares(threshold);
        let mut secrets: Vec<&[u8]> = known.iter().map(|share| &share.expose()[1..]).collect();
        secrets.push(&KEY);
        let inner = inner(threshold);
        let made = freed_with(&secrets, || drop(shares(threshold)));
        assert_eq!(made, 0, "split, {threshold} of 5");
        let opened = freed_with(&secrets, || {
            let chosen: Vec<_> = known.iter().collect();
            drop(combine(&chosen, threshold).unwrap());
            // One that was tampered with has every set of shares tried.
            let mut bent = Zeroizing::new(Vec::with_capacity(33));
            bent.extend_from_slice(known[0].expose());
            bent[32] ^= 1;
            let mut given = vec![Share::new(bent).unwrap()];
            given.extend(shares(threshold).into_iter().skip(1));
            // With all five needed there is no sound set.
            assert_eq!(recover(&inner, &given).is_ok(), threshold < 5);
        });
        assert_eq!(opened, 0, "combined and recovered, {threshold} of 5");
    }
}
