//! The finalizer: a deletion waits while policies hold two measurements.

use chamber_api::{ChamberCluster, names};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::act::error::Error;
use crate::context::Context;

/// Adds the finalizer, or takes it away; `None` when the resource is gone then.
///
/// The resource version makes a raced write a conflict, so that nobody else's finalizer is lost.
pub async fn hold(
    ctx: &Context,
    cluster: &ChamberCluster,
    hold: bool,
) -> Result<Option<ChamberCluster>, Error> {
    if !ctx.lease.is_held() {
        return Err(Error::NotLeading);
    }
    let mut finalizers: Vec<_> = cluster.finalizers().to_vec();
    finalizers.retain(|name| name != names::FINALIZER);
    if hold {
        finalizers.push(names::FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": cluster.resource_version(),
    }});
    let api = Api::<ChamberCluster>::namespaced(
        ctx.client.clone(),
        &cluster.namespace().unwrap_or_default(),
    );
    let sent = api
        .patch(
            &cluster.name_any(),
            &PatchParams::default(),
            &Patch::Merge(patch),
        )
        .await;
    match sent {
        Ok(patched) if !hold && patched.metadata.deletion_timestamp.is_some() => Ok(None),
        Ok(patched) => Ok(Some(patched)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
