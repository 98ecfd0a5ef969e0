//! What ties shares to their cluster and master key.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;

use crate::MasterKey;

const LABEL_1: &[u8] = b"chamber master key commitment, version 1";
/// The generation of a first seal.
const FIRST: u32 = 1;
const LABEL_2: &[u8] = b"chamber master key commitment, version 2";

/// HMAC-SHA-256 by the master key: shares combine to garbage without any error, this tells.
///
/// It reveals nothing of the key, which is uniformly random, and may be published. The generation is not in it: the
/// same master key wrapped anew has the same commitment, so whoever approved one approves the other.
pub fn commitment(key: &MasterKey, cluster_id: &str) -> [u8; 32] {
    mac(key, &[LABEL_2, cluster_id.as_bytes()])
}

/// The commitment in inner layers of version 1, which had the generation in it.
pub fn commitment_of_format_1(key: &MasterKey, cluster_id: &str, generation: u32) -> [u8; 32] {
    mac(
        key,
        &[LABEL_1, &generation.to_be_bytes(), cluster_id.as_bytes()],
    )
}

fn mac(key: &MasterKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    for part in parts {
        mac.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(mac.sign().as_ref());
    out
}

/// The encryption context that a share's ciphertext carries, so that KMS opens it only as what it is.
///
/// `index` is the share's Shamir index, from 1.
///
/// From the second generation on the names are such that a key policy can name them in a condition
/// (`kms:EncryptionContext:chamber-generation`): a slash there is nothing that AWS promises.
pub fn encryption_context(
    cluster_id: &str,
    index: u8,
    generation: u32,
) -> BTreeMap<String, String> {
    let names = if generation <= FIRST {
        [
            "chamber.dev/cluster-id",
            "chamber.dev/share-index",
            "chamber.dev/generation",
        ]
    } else {
        [
            "chamber-cluster-id",
            "chamber-share-index",
            "chamber-generation",
        ]
    };
    let values = [
        cluster_id.to_owned(),
        index.to_string(),
        generation.to_string(),
    ];
    names.map(str::to_owned).into_iter().zip(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_policy_can_name_the_generation_of_every_blob_but_the_first() {
        let context = |generation| encryption_context("c", 2, generation);
        let of = |pairs: [(&str, &str); 3]| -> BTreeMap<String, String> {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            pairs.map(owned).into()
        };
        let first = [
            ("chamber.dev/cluster-id", "c"),
            ("chamber.dev/share-index", "2"),
            ("chamber.dev/generation", "1"),
        ];
        assert_eq!(context(1), of(first), "as in blobs that are sealed already");
        let second = [
            ("chamber-cluster-id", "c"),
            ("chamber-share-index", "2"),
            ("chamber-generation", "2"),
        ];
        assert_eq!(context(2), of(second));
    }
}
