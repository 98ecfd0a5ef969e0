//! The Secret of a run manifest, beside the sealed ones: a blob that was sealed under a permit is stored before there is a
//! run manifest, and sealed Secrets never change.

use std::collections::BTreeMap;

use chamber_api::names;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

/// Key of the manifest: its envelope in base64, as chambers get it.
const KEY: &str = "manifest";

/// The Secret of a `ChamberCluster` of this name, without a namespace: immutable and without an owner, like the blob's.
///
/// Its name covers the signatures: one that another authority has signed, too, is stored beside the one before.
pub fn build(cluster: &str, envelope: &str) -> Secret {
    let digest = Sha256::digest(envelope.as_bytes());
    let labels = [
        (names::MANAGED_BY, names::MANAGER),
        (names::CLUSTER_LABEL, cluster),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Secret {
        metadata: ObjectMeta {
            name: Some(names::manifest_secret(cluster, &hex::encode(&digest[..5]))),
            labels: Some(labels.map(owned).into()),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(
            KEY.to_owned(),
            ByteString(envelope.as_bytes().to_vec()),
        )])),
        ..Secret::default()
    }
}

/// The manifest in a Secret, in base64. It is public, and believed for its signatures alone.
pub fn envelope(secret: &Secret) -> Option<&str> {
    let found = secret.data.as_ref()?.get(KEY)?;
    std::str::from_utf8(&found.0).ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::ResourceExt;

    #[test]
    fn it_is_found_beside_the_blob_and_named_after_body_and_signatures() {
        let secret = build("signer", "bWFuaWZlc3Q=");
        let again = build("signer", "bWFuaWZlc3Q=");
        assert_eq!(secret, again);
        let name = secret.name_any();
        let id = name.strip_prefix("signer-manifest-").unwrap();
        assert_eq!(id.len(), 10);
        assert_ne!(build("signer", "QUFBQQ==").name_any(), name);
        assert_eq!(secret.labels()[names::CLUSTER_LABEL], "signer");
        assert_eq!(secret.immutable, Some(true));
        assert!(secret.owner_references().is_empty());
        assert_eq!(envelope(&secret), Some("bWFuaWZlc3Q="));
        assert_eq!(envelope(&Secret::default()), None);
    }
}
