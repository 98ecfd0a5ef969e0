//! Labels of everything the operator makes.

use std::collections::BTreeMap;

use chamber_api::{ChamberCluster, names};
use kube::ResourceExt;
use rollover::Release;

/// On every object.
pub fn common(cluster: &ChamberCluster) -> BTreeMap<String, String> {
    [
        (names::MANAGED_BY, names::MANAGER.to_owned()),
        (names::CLUSTER_LABEL, cluster.name_any()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Of all chambers of a cluster, whatever their release.
pub fn chambers(cluster: &ChamberCluster) -> BTreeMap<String, String> {
    [
        (names::CLUSTER_LABEL, cluster.name_any()),
        (names::ROLE_LABEL, "chamber".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Of the pods of one release.
pub fn pod(cluster: &ChamberCluster, release: &Release, role: &str) -> BTreeMap<String, String> {
    let mut labels = common(cluster);
    labels.insert(names::ROLE_LABEL.to_owned(), role.to_owned());
    labels.insert(names::REVISION_LABEL.to_owned(), release.revision.clone());
    labels.insert(
        names::MEASUREMENT_LABEL.to_owned(),
        release.measurement.id(),
    );
    labels
}
