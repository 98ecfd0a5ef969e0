//! The one-shot pod of the first seal: the release's image, asked to make the master key.

use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use rollover::{FIRST_GENERATION, Release, Spec};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::objects::{labels, owners, template};

/// The seal pod for this release.
pub fn build(
    cluster: &ChamberCluster,
    release: &Release,
    spec: &Spec,
) -> Result<Pod, serde_json::Error> {
    let keys: Vec<_> = spec.shares.iter().map(|share| &share.arn).collect();
    let request = json!({
        "clusterId": spec.cluster_id,
        "generation": FIRST_GENERATION,
        "threshold": spec.threshold,
        "keys": keys,
    });
    let pod_labels = labels::pod(cluster, release, "seal");
    let mut pod = template::seal(cluster, release, &pod_labels, &request.to_string());
    pod["metadata"]["name"] = json!(names::seal_pod(&cluster.name_any()));
    pod["metadata"]["namespace"] = json!(cluster.namespace());
    pod["metadata"]["ownerReferences"] = json!(owners(cluster));
    // The release's revision covers its image, measurement and template; the request is the spec's part, and another
    // manifest, or one with other signatures, needs another enclave.
    let mut made_from = format!("{}\n{request}", release.revision);
    if let Some(manifest) = chamber_resource::manifest::text(&cluster.spec) {
        made_from = format!("{made_from}\n{manifest}");
    }
    let digest = hex::encode(Sha256::digest(made_from.as_bytes()));
    pod["metadata"]["annotations"][names::SEAL_ANNOTATION] = json!(digest);
    serde_json::from_value(pod)
}
