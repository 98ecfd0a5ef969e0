//! What ties shares to their cluster, generation and master key.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;

use crate::MasterKey;

const LABEL: &[u8] = b"chamber master key commitment, version 1";

/// HMAC-SHA-256 by the master key: shares combine to garbage without any error, this tells.
///
/// It reveals nothing of the key, which is uniformly random, and may be published.
pub fn commitment(key: &MasterKey, cluster_id: &str, generation: u32) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    mac.update(LABEL);
    mac.update(&generation.to_be_bytes());
    mac.update(cluster_id.as_bytes());
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
