//! The disruption budget over all releases: a drain may not take what a rollover still needs.

use chamber_api::ChamberCluster;
use chamber_resource::bounds;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::objects::{labels, owners};

/// Keeps `replicas - maxUnavailable` chambers; sealed ones may always be evicted.
pub fn build(cluster: &ChamberCluster) -> PodDisruptionBudget {
    let spec = &cluster.spec;
    // A spec that cannot be used makes no objects.
    let missing = bounds::of(cluster).map_or(0, |bounds| bounds.max_unavailable);
    let least = spec.chambers.replicas.saturating_sub_unsigned(missing);
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
