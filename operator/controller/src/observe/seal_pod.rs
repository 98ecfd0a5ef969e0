//! The one-shot pod of the first seal, and what it offers in its termination message.

use base64::Engine;
use chamber_api::{ChamberCluster, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::{Api, ResourceExt};
use rollover::{Record, SealPod, Spec};
use serde::Deserialize;

use crate::context::Context;
use crate::observe::blobs;

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
    record: &Record,
) -> Result<SealPod, kube::Error> {
    if !spec.managed_sealing {
        return Ok(SealPod::Absent);
    }
    let Some(pod) = get(ctx, cluster).await? else {
        return Ok(SealPod::Absent);
    };
    let target = record
        .rollover
        .as_ref()
        .map_or(&spec.release, |rollover| &rollover.to);
    Ok(judge(&pod, spec, target))
}

/// The blob that the seal pod offers, base64 as it is to be stored.
pub async fn offer(ctx: &Context, cluster: &ChamberCluster) -> Result<Option<String>, kube::Error> {
    let pod = get(ctx, cluster).await?;
    Ok(pod
        .as_ref()
        .and_then(terminated)
        .and_then(said)
        .and_then(|said| said.sealed_blob))
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

fn judge(pod: &Pod, spec: &Spec, target: &rollover::Release) -> SealPod {
    let Some(ended) = terminated(pod).filter(|_| pod.metadata.deletion_timestamp.is_none()) else {
        return SealPod::Running;
    };
    let failed = |message: String| SealPod::Failed {
        at: ended
            .finished_at
            .as_ref()
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        message,
    };
    match (ended.exit_code, said(ended)) {
        (
            0,
            Some(Said {
                sealed_blob: Some(text),
                ..
            }),
        ) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
            match bytes
                .map_err(|error| error.to_string())
                .and_then(|bytes| blobs::check(&bytes, &target.measurement, spec))
            {
                Ok(_) => SealPod::Offers,
                Err(why) => SealPod::OffersInvalid(why),
            }
        }
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
