//! Stands in for all kubelets: a pod that is made is unsealed at once, one that is to end is gone at once.

use std::sync::Arc;

use anyhow::{Result, bail};
use chamber_api::names;
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::pods::{Name, Pods};

/// The node that pods say they are on: the template names it, so that no scheduler is needed.
pub const NODE: &str = "stand-in";
/// Calls to the API server at the same time.
const AT_ONCE: usize = 32;

/// Serves every pod of a `ChamberCluster`; ends with an error only.
pub async fn run(client: Client, pods: Arc<Pods>) -> Result<()> {
    let ours = Config::default().labels(names::CLUSTER_LABEL);
    let all = Api::<Pod>::all(client.clone());
    let events = watcher(all, ours).default_backoff();
    events
        .for_each_concurrent(AT_ONCE, |event| {
            let (client, pods) = (client.clone(), pods.clone());
            async move {
                let served = match event {
                    Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                        serve(client, &pods, &pod).await
                    }
                    Ok(Event::Delete(pod)) => {
                        pods.gone(&name(&pod));
                        Ok(())
                    }
                    Ok(Event::Init | Event::InitDone) => Ok(()),
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = served {
                    eprintln!("kubelet: {error:#}");
                }
            }
        })
        .await;
    bail!("the watch of pods has ended")
}

async fn serve(client: Client, pods: &Pods, pod: &Pod) -> Result<()> {
    let (namespace, name) = name(pod);
    let api = Api::<Pod>::namespaced(client, &namespace);
    if pod.metadata.deletion_timestamp.is_some() {
        pods.gone(&(namespace, name.clone()));
        return gone_is_fine(
            api.delete(&name, &DeleteParams::default().grace_period(0))
                .await
                .map(drop),
        );
    }
    let phase = pod.status.as_ref().and_then(|found| found.phase.as_deref());
    if phase == Some("Running") {
        return Ok(());
    }
    let now = Timestamp::now();
    let params = PatchParams::default();
    let patched = api
        .patch_status(&name, &params, &Patch::Merge(status(now)))
        .await;
    if patched.is_ok() {
        pods.unsealed((namespace, name), now);
    }
    gone_is_fine(patched.map(drop))
}

/// Running and Ready, as a kubelet writes it.
fn status(now: Timestamp) -> serde_json::Value {
    // Kubernetes' times have whole seconds.
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    json!({"status": {
        "phase": "Running", "startTime": now, "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}],
        "conditions": [condition("PodScheduled"), condition("Initialized"),
            condition("ContainersReady"), condition("Ready")],
        "containerStatuses": [{"name": names::ENCLAVE_CONTAINER, "ready": true, "started": true,
            "restartCount": 0, "image": "", "imageID": "", "state": {"running": {"startedAt": now}}}],
    }})
}

fn gone_is_fine(done: Result<(), kube::Error>) -> Result<()> {
    match done {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        done => Ok(done?),
    }
}

fn name(pod: &Pod) -> Name {
    (pod.namespace().unwrap_or_default(), pod.name_any())
}
