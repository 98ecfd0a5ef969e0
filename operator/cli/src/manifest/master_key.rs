//! Whose master key a blob holds: whoever may create a sealed Secret could have put in one of their own.

use attestation::Root;
use chamber_api::{ChamberCluster, ManifestKind};
use chamber_resource::manifest;
use cluster_manifest::{Provenance, check_sealed};
use rollover::tags;
use sealed_blob::InnerBlob;

use super::refused;
use crate::output::Failure;

/// Refuses another commitment than the one that the cluster's status has, where it has one.
pub fn recorded(
    what: &str,
    commitment: &[u8; 32],
    cluster: &ChamberCluster,
) -> Result<(), Failure> {
    let status = cluster.status.as_ref();
    let Some(recorded) = status.and_then(|status| status.commitment.as_deref()) else {
        return Ok(());
    };
    let found = hex::encode(commitment);
    if found.eq_ignore_ascii_case(recorded) {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "{what} is {found}, status.commitment is {recorded}: this is another master key than the one that the cluster was sealed with, and somebody else may know it. Do not sign for it; put back the sealed Secret, or the manifest, that was there before"
    )))
}

/// Refuses a blob of another cluster, or of other keys than the spec's.
pub fn of_cluster(name: &str, inner: &InnerBlob, cluster: &ChamberCluster) -> Result<(), Failure> {
    let spec = &cluster.spec;
    let refused = |what: &str, found: &str, wanted: &str| {
        Err(Failure::Refused(format!(
            "{name}: its {what} is {found}, the ChamberCluster's {wanted}: it is not this cluster's blob"
        )))
    };
    if inner.cluster_id != spec.cluster_id {
        return refused("cluster id", &inner.cluster_id, &spec.cluster_id);
    }
    let sealed = inner.shares.iter().map(|share| share.key_arn.as_str());
    let named = spec.keys.shares.iter().map(|share| share.arn.as_str());
    let (sealed, named): (Vec<_>, Vec<_>) = (sealed.collect(), named.collect());
    let threshold = i32::from(inner.threshold);
    if sealed != named || threshold != spec.keys.threshold {
        let text = |threshold: i32, keys: &[&str]| format!("{threshold} of {}", keys.join(", "));
        let (found, wanted) = (text(threshold, &sealed), text(spec.keys.threshold, &named));
        return refused("set of keys", &found, &wanted);
    }
    Ok(())
}

/// Refuses what was not sealed under the permit in `spec.manifest`, where there is one.
pub fn permitted(
    name: &str,
    inner: &InnerBlob,
    cluster: &ChamberCluster,
    root: &Root,
) -> Result<(), Failure> {
    let written = cluster.spec.manifest.as_ref();
    let Some(written) = written.filter(|one| one.body.kind == ManifestKind::SealPermit) else {
        return Ok(());
    };
    let permit = manifest::signed(written).map_err(|fault| refused(name, &fault))?;
    check_sealed(permit.unverified(), inner, root).map_err(|why| {
        Failure::Refused(format!(
            "{name}: spec.manifest is a seal permit, and {why}. Do not sign for it before you know who made it. A cluster that was sealed before there was a permit is adopted without one: take it out of spec.manifest, and compare the commitment"
        ))
    })
}

/// Refuses a blob that shows no permit as long as nobody compared its commitment; the error says how.
pub fn vouched(
    provenance: Provenance,
    inner: &InnerBlob,
    compared: Option<&[u8; 32]>,
) -> Result<(), String> {
    let found = hex::encode(inner.commitment);
    match compared {
        Some(given) if *given == inner.commitment => Ok(()),
        Some(given) => Err(format!(
            "the blob's commitment is {found}, --commitment says {}: this is another master key than the one that you compared with, and somebody else may know it. Do not sign for it",
            hex::encode(given)
        )),
        None if provenance == Provenance::Attested => Ok(()),
        None => Err(format!(
            "this blob does not show that an authority allowed its sealing: it has {}. It says of itself that its commitment is {found}; somebody else's blob would say so of theirs, so this line proves nothing. Compare it with the tag {} on keys whose holders you trust, and with what was recorded at the first seal; where all are the same, repeat with --commitment <HEX>",
            lacks(provenance),
            tags::COMMITMENT
        )),
    }
}

fn lacks(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Attested => "all that there is to show",
        Provenance::WithoutPermit => {
            "no seal permit, as the image that sealed it measures no authority"
        }
        Provenance::WithoutDocument => "no sealing document (format 1)",
    }
}

/// What a blob shows of its sealing: its name for programs.
pub fn name(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Attested => "Attested",
        Provenance::WithoutPermit => "WithoutPermit",
        Provenance::WithoutDocument => "WithoutDocument",
    }
}

/// The same in words, of a blob that is vouched for.
pub fn told(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Attested => {
            "sealed by an enclave that the manifest names, under a seal permit in its locked PCR16"
        }
        Provenance::WithoutPermit => {
            "sealed by an enclave that the manifest names, without a seal permit: that image measures no authority. The commitment that you compared is all that vouches for its master key"
        }
        Provenance::WithoutDocument => {
            "it has no sealing document (format 1), so nothing shows who made it. The commitment that you compared is all that vouches for its master key"
        }
    }
}
