//! The disruption budget over all releases: a drain may not take what a rollover still needs.

use chamber_api::ChamberCluster;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::objects::{labels, owners};

/// Keeps `replicas - maxUnavailable` chambers; sealed ones may always be evicted.
pub fn build(cluster: &ChamberCluster) -> PodDisruptionBudget {
    let spec = &cluster.spec;
    let least = spec.chambers.replicas - spec.rollover.max_unavailable;
    PodDisruptionBudget {
        metadata: ObjectMeta {
            name: Some(cluster.name_any()),
            namespace: cluster.namespace(),
            labels: Some(labels::common(cluster)),
            owner_references: owners(cluster),
            ..ObjectMeta::default()
        },
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(least.max(0))),
            selector: Some(LabelSelector {
                match_labels: Some(labels::chambers(cluster)),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
