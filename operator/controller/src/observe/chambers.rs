//! `ReplicaSets` and pods of a cluster.

use std::collections::BTreeSet;

use chamber_api::{ChamberCluster, ReleaseStatus, names};
use cluster_manifest::wants_manifest;
use futures::future::try_join;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use rollover::{Chamber, Failing, Says, Set};

use chamber_resource::release;

use crate::context::Context;
use crate::objects;

/// Waiting reasons of a container that time alone does not cure.
const FAILING: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "CrashLoopBackOff",
];

/// What there is of chambers.
#[derive(Debug, Default)]
pub struct Found {
    /// The `ReplicaSets` with their pods.
    pub sets: Vec<Set>,
    /// Pods whose `ReplicaSet` is gone.
    pub orphans: Vec<Chamber>,
    /// The same `ReplicaSets`, as the API server has them.
    pub replica_sets: Vec<ReplicaSet>,
}

/// The `ReplicaSets` with their pods, and the pods whose `ReplicaSet` is gone.
pub async fn list(ctx: &Context, cluster: &ChamberCluster) -> Result<Found, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let name = cluster.name_any();
    let role = names::ROLE_LABEL;
    let ours =
        ListParams::default().labels(&format!("{}={name},{role}=chamber", names::CLUSTER_LABEL));
    let replica_sets = Api::<ReplicaSet>::namespaced(ctx.client.clone(), &namespace);
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), &namespace);
    // Side by side: a consistent list takes up to 100 ms. A pod whose set is not in the other list is a stray, which counts.
    let (pods, replica_sets) = try_join(pods.list(&ours), replica_sets.list(&ours)).await?;

    let token = ctx.fencing_token.value();
    let ours = |found: &ReplicaSet| objects::is_ours_or_orphaned(cluster, found);
    let mut found = replica_sets.items;
    found.retain(|replica_set| ours(replica_set) && set(replica_set, &token).is_some());
    let mut sets: Vec<(String, Set)> = found
        .iter()
        .filter_map(|found| Some((found.uid()?, set(found, &token)?)))
        .collect();
    let mut orphans = Vec::new();
    let mut asked = BTreeSet::new();
    for pod in pods.items.iter().filter(|pod| !ended(pod)) {
        let mut chamber = chamber(pod);
        // One of each release is asked in a look: they mostly say the same.
        if stays_sealed(&chamber, ctx.clock.now()) && asked.insert(chamber.revision.clone()) {
            chamber.says = ctx.hosts.failure(pod).await.map(says);
        }
        match sets.iter_mut().find(|(uid, _)| owned_by(pod, uid)) {
            Some((_, set)) => set.chambers.push(chamber),
            None => orphans.push(chamber),
        }
    }
    Ok(Found {
        sets: sets.into_iter().map(|(_, set)| set).collect(),
        orphans,
        replica_sets: found,
    })
}

/// Unsealing takes seconds: one that runs for longer may say what is wrong.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

fn says(words: String) -> Says {
    Says {
        wants_manifest: wants_manifest(&words),
        words,
    }
}

/// It runs for some time, and is not unsealed.
fn stays_sealed(chamber: &Chamber, now: Timestamp) -> bool {
    let sealed = chamber.unsealed_since.is_none() && !chamber.terminating();
    let since = chamber.started_at.filter(|_| sealed);
    since.is_some_and(|at| now.duration_since(at) >= PATIENCE)
}

/// A pod that has ended runs nothing any more and will not start again.
fn ended(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed")) && pod.metadata.deletion_timestamp.is_none()
}

/// A `ReplicaSet` of the same name that was made later is another one.
fn owned_by(pod: &Pod, set: &str) -> bool {
    let mut owners = pod.owner_references().iter();
    owners.any(|owner| owner.controller == Some(true) && owner.uid == set)
}

/// `None` for a `ReplicaSet` without the operator's annotation: not one of ours.
fn set(replica_set: &ReplicaSet, token: &str) -> Option<Set> {
    let annotation = replica_set.annotations().get(names::RELEASE_ANNOTATION)?;
    let status: ReleaseStatus = serde_json::from_str(annotation).ok()?;
    let replicas = replica_set.spec.as_ref().and_then(|spec| spec.replicas);
    Some(Set {
        name: replica_set.name_any(),
        fenced: replica_set
            .annotations()
            .get(names::FENCE_ANNOTATION)
            .is_some_and(|found| found == token),
        version: replica_set.resource_version().unwrap_or_default(),
        release: release::of_status(&status)?,
        replicas: u32::try_from(replicas.unwrap_or(1)).unwrap_or(0),
        chambers: Vec::new(),
    })
}

fn chamber(pod: &Pod) -> Chamber {
    let label = |name: &str| pod.labels().get(name).cloned().unwrap_or_default();
    let status = pod.status.as_ref();
    let conditions = status
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let enclave = status
        .and_then(|status| status.container_statuses.as_deref())
        .unwrap_or_default()
        .iter()
        .find(|container| container.name == names::ENCLAVE_CONTAINER);
    Chamber {
        name: pod.name_any(),
        revision: label(names::REVISION_LABEL),
        measurement_id: label(names::MEASUREMENT_LABEL),
        unsealed_since: condition("Ready")
            .filter(|condition| condition.status == "True")
            .and_then(|condition| condition.last_transition_time.as_ref())
            .map(|time| time.0),
        started_at: enclave.and_then(started_at),
        gone_by: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        scheduled_at: condition("PodScheduled")
            .filter(|condition| condition.status == "True")
            .and_then(|condition| condition.last_transition_time.as_ref())
            .map(|time| time.0),
        failing: stuck(pod),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        says: None,
    }
}

/// Why a pod does not start, where Kubernetes says so and time alone does not cure it.
pub fn stuck(pod: &Pod) -> Option<Failing> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let enclave = containers
        .iter()
        .find(|container| container.name == names::ENCLAVE_CONTAINER);
    if let Some(why) = enclave.and_then(failing) {
        return Some(Failing::Release(why));
    }
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let unscheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    let message = unscheduled.message.clone();
    Some(Failing::Unschedulable(message.unwrap_or_default()))
}

fn started_at(container: &ContainerStatus) -> Option<jiff::Timestamp> {
    let running = container.state.as_ref()?.running.as_ref()?;
    Some(running.started_at.as_ref()?.0)
}

fn failing(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if !FAILING.contains(&reason) {
        return None;
    }
    let message = waiting.message.as_deref().unwrap_or_default();
    Some(format!("{reason} {message}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "signer-0123456789-abcde", "labels": {
                "chamber.dev/revision": "0123456789", "chamber.dev/measurement": "9876543210"}},
            "status": status
        }))
        .unwrap()
    }

    #[test]
    fn a_chamber_that_asks_for_a_manifest_is_known_by_its_words() {
        let asks = format!("{}: set spec.manifest", cluster_manifest::NOT_GIVEN);
        assert!(says(asks).wants_manifest);
        let other = says(format!("KMS: {}", cluster_manifest::NOT_GIVEN));
        assert!(!other.wants_manifest && other.words.starts_with("KMS"));
    }

    #[test]
    fn a_ready_pod_is_unsealed_since_its_condition_changed() {
        let chamber = chamber(&pod(&json!({
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T10:00:05Z"}],
            "containerStatuses": [{"name": "enclave", "ready": true, "restartCount": 0, "image": "", "imageID": "",
                "state": {"running": {"startedAt": "2026-11-01T10:00:01Z"}}}]
        })));
        assert_eq!(
            chamber.unsealed_since,
            Some("2026-11-01T10:00:05Z".parse().unwrap())
        );
        assert_eq!(
            chamber.started_at,
            Some("2026-11-01T10:00:01Z".parse().unwrap())
        );
        assert_eq!(chamber.failing, None);
        assert_eq!(chamber.measurement_id, "9876543210");
    }

    #[test]
    fn a_chamber_is_asked_why_it_is_sealed_once_it_had_the_time() {
        let running = json!({"containerStatuses": [{"name": "enclave", "ready": false, "restartCount": 0, "image": "",
            "imageID": "", "state": {"running": {"startedAt": "2026-11-01T10:00:00Z"}}}]});
        let at = |second: &str| format!("2026-11-01T10:00:{second}Z").parse().unwrap();
        let mut found = chamber(&pod(&running));
        assert!(!stays_sealed(&found, at("09")) && stays_sealed(&found, at("10")));
        found.gone_by = Some(at("30"));
        assert!(!stays_sealed(&found, at("20")), "it is ending");
        found.gone_by = None;
        found.unsealed_since = Some(at("05"));
        assert!(!stays_sealed(&found, at("20")), "it is unsealed");
        found.unsealed_since = None;
        found.started_at = None;
        assert!(
            !stays_sealed(&found, at("20")),
            "nothing runs that could say"
        );
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_told_and_a_starting_container_is_not() {
        let waiting = |reason: &str| {
            chamber(&pod(
                &json!({"containerStatuses": [{"name": "enclave", "ready": false, "restartCount": 0,
                "image": "", "imageID": "", "state": {"waiting": {"reason": reason, "message": "no such image"}}}]}),
            ))
        };
        assert_eq!(
            waiting("ImagePullBackOff").failing,
            Some(Failing::Release("ImagePullBackOff no such image".into()))
        );
        assert_eq!(waiting("ContainerCreating").failing, None);
    }

    #[test]
    fn full_nodes_are_not_the_release_s_fault() {
        let chamber = chamber(&pod(
            &json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available"}]}),
        ));
        let full = Failing::Unschedulable("0/3 nodes are available".into());
        assert_eq!(chamber.failing, Some(full));
        assert_eq!(chamber.scheduled_at, None);
    }
}
