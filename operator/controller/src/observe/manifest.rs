//! What the spec's manifest says of a sealed blob, by the rule that agents go by.

use attestation::Root;
use chamber_api::ChamberCluster;
use chamber_resource::manifest;
use cluster_manifest::{Kind, check_blob, check_sealed};
use sealed_blob::InnerBlob;

/// Whether a blob that was just sealed was sealed under the spec's permit; without a permit anything is.
pub fn permitted(cluster: &ChamberCluster, inner: &InnerBlob, root: &Root) -> Result<(), String> {
    let spec = &cluster.spec;
    let Some(signed) = manifest::of_spec(spec).map_err(|fault| fault.message)? else {
        return Ok(());
    };
    // An image that measures no authority seals without a permit, and says so in the blob.
    if spec.release.authorities.is_empty() {
        return Ok(());
    }
    check_sealed(signed.unverified(), inner, root).map_err(|mismatch| mismatch.to_string())
}

/// What speaks against a stored blob by the spec's run manifest.
pub fn objection(cluster: &ChamberCluster, inner: &InnerBlob, root: &Root) -> Option<String> {
    let signed = manifest::of_spec(&cluster.spec).ok()??;
    let manifest = signed.unverified();
    match manifest.kind {
        Kind::SealPermit => None,
        Kind::Run { .. } => check_blob(manifest, inner, root)
            .err()
            .map(|mismatch| mismatch.to_string()),
    }
}
