//! What ties shares to their cluster and master key.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;

use crate::MasterKey;

const LABEL_1: &[u8] = b"chamber master key commitment, version 1";
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
pub fn encryption_context(
    cluster_id: &str,
    index: u8,
    generation: u32,
) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("chamber.dev/cluster-id".to_owned(), cluster_id.to_owned()),
        ("chamber.dev/share-index".to_owned(), index.to_string()),
        ("chamber.dev/generation".to_owned(), generation.to_string()),
    ])
}
