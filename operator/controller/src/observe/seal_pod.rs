//! The one-shot pod of the first seal, and what it offers: over its host's port while it runs, or, as hosts of before
//! did, in its termination message.

use attestation::Root;
use base64::Engine;
use chamber_api::{ChamberCluster, names};
use cluster_manifest::wants_manifest;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::{Api, ResourceExt};
use rollover::{FIRST_GENERATION, Failing, PersistedState, SealPod, Spec, World};
use serde::Deserialize;

use crate::context::Context;
use crate::hosts::{self, Hosts, Offer};
use crate::objects;
use crate::observe::{blobs, chambers, manifest};

/// What the seal pod says when it ends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    sealed_blob: Option<String>,
    error: Option<String>,
}

/// The seal pod, if this cluster can have one.
pub async fn read(
    ctx: &Context,
    cluster: &ChamberCluster,
    spec: &Spec,
    record: &PersistedState,
) -> Result<SealPod, kube::Error> {
    if !spec.managed_sealing {
        return Ok(SealPod::Absent);
    }
    let Some(pod) = get(ctx, cluster).await? else {
        return Ok(SealPod::Absent);
    };
    let target = target(record, spec);
    let wanted = Wanted {
        cluster,
        spec,
        target,
        root: &ctx.root,
    };
    let (seen, _) = look(&ctx.hosts, &pod, &wanted).await;
    Ok(seen)
}

/// What the pod is, and the blob that it offers.
async fn look(hosts: &Hosts, pod: &Pod, wanted: &Wanted<'_>) -> (SealPod, Option<String>) {
    let judged = judge(pod, wanted);
    match judged {
        SealPod::Running { .. } if runs(pod) => match hosts.offer(pod).await {
            Ok(offer) => wanted.served(offer),
            Err(why) => (at_work(judged, &why), None),
        },
        SealPod::Offers { .. } => {
            let text = terminated(pod).and_then(said);
            (judged, text.and_then(|said| said.sealed_blob))
        }
        _ => (judged, None),
    }
}

/// It has not sealed yet, by its host's word, or nobody can tell.
fn at_work(judged: SealPod, why: &hosts::Error) -> SealPod {
    match judged {
        SealPod::Running { since, .. } => SealPod::Running {
            since,
            unanswered: (*why != hosts::Error::Status { code: 404 }).then(|| why.to_string()),
        },
        other => other,
    }
}

/// Its container is at work, and not only the pod there.
fn runs(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    phase == Some("Running")
}

/// What a seal pod and its offer have to be.
struct Wanted<'a> {
    cluster: &'a ChamberCluster,
    spec: &'a Spec,
    target: &'a rollover::Release,
    /// The root that sealing documents lead to.
    root: &'a Root,
}

impl Wanted<'_> {
    /// What a running pod serves.
    fn served(&self, offer: Offer) -> (SealPod, Option<String>) {
        match self.offered(&offer.sealed_blob) {
            SealPod::Offers { commitment } if commitment != offer.commitment => {
                let why = "the commitment beside its blob is not the one in it".to_owned();
                (SealPod::OffersInvalid(why), None)
            }
            sound @ SealPod::Offers { .. } => (sound, Some(offer.sealed_blob)),
            other => (other, None),
        }
    }

    /// What the text of a blob is for this release, this spec and its seal permit.
    fn offered(&self, text: &str) -> SealPod {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
        let checked = bytes
            .map_err(|error| error.to_string())
            .and_then(|bytes| {
                blobs::check(
                    &bytes,
                    &self.target.measurement,
                    FIRST_GENERATION,
                    self.spec,
                )
            })
            .and_then(|inner| {
                manifest::permitted(self.cluster, &inner, &self.target.measurement, self.root)?;
                Ok(inner)
            });
        match checked {
            Ok(inner) => SealPod::Offers {
                commitment: hex::encode(inner.commitment),
            },
            Err(why) => SealPod::OffersInvalid(why),
        }
    }
}

/// The blob that the seal pod offers, base64 as it is to be stored: none where the pod is not the one that was seen.
pub async fn offer(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
) -> Result<Option<String>, kube::Error> {
    let Some(pod) = get(ctx, cluster).await? else {
        return Ok(None);
    };
    let wanted = Wanted {
        cluster,
        spec: &world.spec,
        target: target(&world.record, &world.spec),
        root: &ctx.root,
    };
    let (seen, blob) = look(&ctx.hosts, &pod, &wanted).await;
    Ok(blob.filter(|_| seen == world.seal_pod))
}

/// The release that the seal pod is made for.
fn target<'a>(record: &'a PersistedState, spec: &'a Spec) -> &'a rollover::Release {
    let rollover = record.rollover.as_ref();
    rollover.map_or(&spec.release, |rollover| &rollover.to)
}

async fn get(ctx: &Context, cluster: &ChamberCluster) -> Result<Option<Pod>, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), &namespace);
    pods.get_opt(&names::seal_pod(&cluster.name_any())).await
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let containers = pod.status.as_ref()?.container_statuses.as_deref()?;
    let enclave = containers
        .iter()
        .find(|container| container.name == names::ENCLAVE_CONTAINER)?;
    enclave.state.as_ref()?.terminated.as_ref()
}

fn said(ended: &ContainerStateTerminated) -> Option<Said> {
    serde_json::from_str(ended.message.as_deref()?).ok()
}

/// What the pod of the seal pod's name is, and what came of it. Ours is owned by this resource, by uid.
fn judge(pod: &Pod, wanted: &Wanted<'_>) -> SealPod {
    if !objects::is_ours(wanted.cluster, pod) {
        return SealPod::Foreign(format!(
            "pod {} has the name of this cluster's seal pod, and somebody else made it",
            pod.name_any()
        ));
    }
    if let Some(by) = &pod.metadata.deletion_timestamp {
        return SealPod::Ending {
            by: by.0,
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        };
    }
    if !is_made_for(pod, wanted) {
        return SealPod::Outdated;
    }
    match terminated(pod) {
        Some(ended) => came_of_it(pod, ended, wanted),
        None => match chambers::stuck(pod) {
            Some(Failing::Release(why) | Failing::Unschedulable(why)) => SealPod::Stuck(why),
            None => SealPod::Running {
                since: pod
                    .creation_timestamp()
                    .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
                unanswered: None,
            },
        },
    }
}

/// Whether the pod is the one that this release and this spec make.
fn is_made_for(pod: &Pod, wanted: &Wanted<'_>) -> bool {
    let Ok(wanted) = objects::seal_pod::build(wanted.cluster, wanted.target, wanted.spec) else {
        return false;
    };
    let mark = |pod: &Pod| pod.annotations().get(names::SEAL_ANNOTATION).cloned();
    // The image of a pod can be changed in place; an admission policy may name another registry for the same digest.
    let image = |pod: &Pod| {
        let containers = &pod.spec.as_ref()?.containers;
        let mut enclave = containers.iter();
        let enclave = enclave.find(|found| found.name == names::ENCLAVE_CONTAINER)?;
        let image = enclave.image.clone()?;
        let digest = image.split_once('@').map(|(_, digest)| digest.to_owned());
        Some(digest.unwrap_or(image))
    };
    mark(pod) == mark(&wanted) && image(pod) == image(&wanted)
}

fn came_of_it(pod: &Pod, ended: &ContainerStateTerminated, wanted: &Wanted<'_>) -> SealPod {
    let failed = |message: String| SealPod::Failed {
        at: ended
            .finished_at
            .as_ref()
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        wants_manifest: wants_manifest(&message),
        message,
    };
    match (ended.exit_code, said(ended)) {
        (
            0,
            Some(Said {
                sealed_blob: Some(text),
                ..
            }),
        ) => wanted.offered(&text),
        (
            _,
            Some(Said {
                error: Some(error), ..
            }),
        ) => failed(error),
        (code, _) => failed(format!(
            "exit code {code} without a message; see `kubectl logs {}`",
            pod.name_any()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::tests::serve;
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    fn cluster(image: &str) -> ChamberCluster {
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "ours"},
            "spec": {
                "clusterId": "one",
                "release": {"image": image, "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": [{"name": "a", "management": "Observed",
                    "arn": "arn:aws:kms:us-east-1:111122223333:key/a"}]},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }))
        .unwrap()
    }

    fn checked(cluster: &ChamberCluster) -> Spec {
        let uids = chamber_resource::spec::Uids::default();
        chamber_resource::spec::checked(cluster, &uids, SignedDuration::ZERO).unwrap()
    }

    fn wanted<'a>(cluster: &'a ChamberCluster, spec: &'a Spec, root: &'a Root) -> Wanted<'a> {
        Wanted {
            cluster,
            spec,
            target: &spec.release,
            root,
        }
    }

    /// The pod of this cluster, after this change to it.
    fn made(cluster: &ChamberCluster, spec: &Spec, change: impl FnOnce(&mut Value)) -> Pod {
        let pod = objects::seal_pod::build(cluster, &spec.release, spec).unwrap();
        let mut pod = serde_json::to_value(pod).unwrap();
        change(&mut pod);
        serde_json::from_value(pod).unwrap()
    }

    /// What the pod of this cluster is taken for, after this change to it.
    fn judged(change: impl FnOnce(&mut Value)) -> SealPod {
        let cluster = cluster("i");
        let spec = checked(&cluster);
        let pod = made(&cluster, &spec, change);
        judge(&pod, &wanted(&cluster, &spec, &Root::aws()))
    }

    /// The pod runs, and its host answers so.
    async fn served(answer: Value, code: u16) -> (SealPod, Option<String>) {
        let code = axum::http::StatusCode::from_u16(code).unwrap();
        let answer = move || async move { (code, axum::Json(answer)) };
        let app = axum::Router::new().route("/sealed-blob", axum::routing::get(answer));
        let address = serve(app).await;
        let runs = |pod: &mut Value| {
            pod["status"] = json!({"phase": "Running", "podIP": "127.0.0.1"});
            let port = &mut pod["spec"]["containers"][0]["ports"][1];
            port["containerPort"] = json!(address.port());
        };
        let cluster = cluster("i");
        let spec = checked(&cluster);
        let pod = made(&cluster, &spec, runs);
        let hosts = Hosts::new().unwrap();
        look(&hosts, &pod, &wanted(&cluster, &spec, &Root::aws())).await
    }

    /// A blob for this cluster, or for another one.
    fn blob(cluster_id: &str) -> String {
        let share = sealed_blob::SealedShare {
            key_arn: "arn:aws:kms:us-east-1:111122223333:key/a".into(),
            ciphertext: vec![1; 100],
        };
        let inner = sealed_blob::InnerBlob {
            cluster_id: cluster_id.into(),
            generation: 1,
            threshold: 1,
            shares: vec![share],
            commitment: [6; 32],
            origin: None,
        };
        let spec = checked(&cluster("i"));
        let bound = sealed_blob::bind(&inner, &spec.release.measurement).unwrap();
        base64::engine::general_purpose::STANDARD.encode(bound)
    }

    #[tokio::test]
    async fn a_pod_that_runs_offers_its_blob_over_the_hosts_port() {
        let (text, commitment) = (blob("one"), hex::encode([6; 32]));
        let answer = json!({"sealedBlob": text, "commitment": commitment});
        let offers = SealPod::Offers { commitment };
        assert_eq!(served(answer, 200).await, (offers, Some(text)));
    }

    #[tokio::test]
    async fn a_blob_of_another_cluster_or_beside_another_commitment_is_no_offer() {
        let commitment = hex::encode([6; 32]);
        let answer = json!({"sealedBlob": blob("two"), "commitment": commitment});
        let (seen, text) = served(answer, 200).await;
        assert!(
            matches!(&seen, SealPod::OffersInvalid(why) if why.contains("of cluster two")),
            "{seen:?}"
        );
        assert_eq!(text, None);
        let answer = json!({"sealedBlob": blob("one"), "commitment": "c0ffee"});
        let (seen, text) = served(answer, 200).await;
        assert!(
            matches!(&seen, SealPod::OffersInvalid(why) if why.contains("commitment")),
            "{seen:?}"
        );
        assert_eq!(text, None);
    }

    #[tokio::test]
    async fn whatever_else_a_host_answers_leaves_the_pod_at_work() {
        let sound = json!({"sealedBlob": blob("one"), "commitment": hex::encode([6; 32])});
        for (answer, code) in [
            (sound.clone(), 404),
            (sound.clone(), 503),
            (json!({"error": "?"}), 200),
            (json!(null), 200),
        ] {
            let (seen, text) = served(answer.clone(), code).await;
            let SealPod::Running { unanswered, .. } = seen else {
                panic!("{answer} {code}");
            };
            assert_eq!(unanswered.is_none(), code == 404, "{answer} {code}");
            assert_eq!(text, None);
        }
    }

    /// A host of before tells when it ends, and a failure is told so by every host.
    #[tokio::test]
    async fn what_a_pod_says_when_it_ends_still_counts() {
        let ended = async |code: i32, message: &Value| {
            let said = message.to_string();
            let change = |pod: &mut Value| {
                pod["status"] = json!({"phase": "Succeeded", "containerStatuses": [{"name": "enclave",
                    "ready": false, "restartCount": 0, "image": "", "imageID": "",
                    "state": {"terminated": {"exitCode": code, "message": said}}}]});
            };
            let cluster = cluster("i");
            let spec = checked(&cluster);
            let pod = made(&cluster, &spec, change);
            let hosts = Hosts::new().unwrap();
            look(&hosts, &pod, &wanted(&cluster, &spec, &Root::aws())).await
        };
        serve(axum::Router::new()).await;
        let text = blob("one");
        let commitment = hex::encode([6; 32]);
        let offers = SealPod::Offers { commitment };
        let found = ended(0, &json!({"sealedBlob": text})).await;
        assert_eq!(found, (offers, Some(text)));
        let (seen, text) = ended(1, &json!({"error": "no key"})).await;
        assert!(
            matches!(&seen, SealPod::Failed { message, wants_manifest: false, .. } if message == "no key"),
            "{seen:?}"
        );
        let asked = json!({"error": format!("{}: set it", cluster_manifest::NOT_GIVEN)});
        let (seen, _) = ended(1, &asked).await;
        assert!(
            matches!(
                &seen,
                SealPod::Failed {
                    wants_manifest: true,
                    ..
                }
            ),
            "{seen:?}"
        );
        assert_eq!(text, None);
    }

    #[test]
    fn the_pod_is_ours_by_its_owner_and_made_for_this_release_and_spec() {
        assert!(matches!(judged(|_| ()), SealPod::Running { .. }));
        let another = |pod: &mut Value| pod["metadata"]["ownerReferences"][0]["uid"] = json!("x");
        assert!(matches!(judged(another), SealPod::Foreign(_)));
        let nobodys = |pod: &mut Value| pod["metadata"]["ownerReferences"] = json!([]);
        assert!(matches!(judged(nobodys), SealPod::Foreign(_)));
        let older = |pod: &mut Value| {
            pod["metadata"]["annotations"][names::SEAL_ANNOTATION] = json!("another digest");
        };
        assert_eq!(judged(older), SealPod::Outdated);
        let exchanged = |pod: &mut Value| pod["spec"]["containers"][0]["image"] = json!("evil");
        assert_eq!(judged(exchanged), SealPod::Outdated);
    }

    #[test]
    fn a_pod_that_ends_or_does_not_start_says_so() {
        let ending = |pod: &mut Value| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-01T10:00:00Z");
            pod["spec"]["nodeName"] = json!("node-7");
        };
        let by = "2026-11-01T10:00:00Z".parse().unwrap();
        let node = Some("node-7".to_owned());
        assert_eq!(judged(ending), SealPod::Ending { by, node });
        let stuck = |pod: &mut Value| {
            pod["status"]["containerStatuses"] = json!([{"name": "enclave", "ready": false,
                "restartCount": 0, "image": "", "imageID": "",
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]);
        };
        let why = "ImagePullBackOff no such image".to_owned();
        assert_eq!(judged(stuck), SealPod::Stuck(why));
    }
}
