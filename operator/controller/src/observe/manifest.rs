//! What the spec's manifest says of a sealed blob, by the rule that agents go by.

use attestation::Root;
use chamber_api::ChamberCluster;
use chamber_resource::manifest;
use cluster_manifest::{Kind, check_blob, check_document, check_sealed};
use measurement::{Measurement, Pcr};
use sealed_blob::InnerBlob;

/// Whether a blob that was just sealed was sealed by an enclave of this release, and under the spec's permit where the
/// release's image measures an authority. A blob of format 1 says nothing of it.
pub fn permitted(
    cluster: &ChamberCluster,
    inner: &InnerBlob,
    target: &Measurement,
    root: &Root,
) -> Result<(), String> {
    let proven = check_document(inner, root).map_err(|mismatch| mismatch.to_string())?;
    if let Some(proven) = proven {
        let differs = |(index, pcr): &(u8, &Pcr)| proven.pcrs.get(index) != Some(*pcr);
        if let Some((index, pcr)) = target.of_image().find(differs) {
            return Err(format!(
                "its sealing document is of another image: PCR{index} is not the release's {pcr}"
            ));
        }
    }
    let spec = &cluster.spec;
    let signed = manifest::of_spec(spec).map_err(|fault| fault.message)?;
    match signed {
        Some(signed) if !spec.release.authorities.is_empty() => {
            let sealed = check_sealed(signed.unverified(), inner, root);
            sealed.map_err(|mismatch| mismatch.to_string())
        }
        _ => Ok(()),
    }
}

/// What a blob does not show of its sealing, as a sentence that goes on after its name.
pub fn lacks(inner: &InnerBlob, root: &Root) -> Option<String> {
    match check_document(inner, root) {
        Err(why) => Some(format!("does not show who sealed it: {why}")),
        Ok(None) => Some(
            "is of format 1, which carries no sealing document: that an enclave made the master key is not shown".to_owned(),
        ),
        Ok(Some(proven)) => {
            let permit = inner.origin.as_ref().and_then(|origin| origin.manifest);
            permit.is_none().then(|| {
                let image = proven.pcrs.get(&0).map(ToString::to_string);
                format!(
                    "was sealed by an enclave of image {} without a permit: no authority allowed it beforehand",
                    image.unwrap_or_default()
                )
            })
        }
    }
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
