//! The `ReplicaSet` of one release. Its pods' release is fixed by it: a crashed old chamber comes back old.

use chamber_api::{ChamberCluster, names};
use chamber_resource::release;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use rollover::Release;
use serde_json::{Value, json};

use crate::objects::{labels, owners, template};

/// The `ReplicaSet` of the spec's release with this many chambers.
pub fn build(
    cluster: &ChamberCluster,
    release: &Release,
    replicas: u32,
    managed_sealing: bool,
) -> Result<ReplicaSet, serde_json::Error> {
    let pod_labels = labels::pod(cluster, release, "chamber");
    let mut selector = labels::chambers(cluster);
    selector.insert(names::REVISION_LABEL.to_owned(), release.revision.clone());
    let annotation = serde_json::to_string(&release::to_status(release))?;
    let mut annotations = json!({});
    annotations[names::RELEASE_ANNOTATION] = Value::String(annotation);
    serde_json::from_value(json!({
        "metadata": {
            "name": names::replica_set(&cluster.name_any(), &release.set_id()),
            "namespace": cluster.namespace(),
            "labels": pod_labels,
            "annotations": annotations,
            "ownerReferences": owners(cluster),
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "template": template::chamber(cluster, release, &pod_labels, managed_sealing),
        }
    }))
}
