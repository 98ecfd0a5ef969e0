//! `ReplicaSets`: one a release, sized by the plan.

use chamber_api::{ChamberCluster, names};
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use rollover::{Resize, World};
use serde_json::json;

use crate::act::Error;
use crate::context::Context;
use crate::objects::replica_set;

fn api(ctx: &Context, cluster: &ChamberCluster) -> Api<ReplicaSet> {
    Api::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default())
}

/// Sets the numbers of chambers, all in one go.
pub async fn resize(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    resizes: &[Resize],
) -> Result<(), Error> {
    let each = resizes
        .iter()
        .map(|resize| one(ctx, cluster, world, resize));
    try_join_all(each).await.map(|_| ())
}

async fn one(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    resize: &Resize,
) -> Result<(), Error> {
    let api = api(ctx, cluster);
    if let Some(version) = &resize.version {
        let name = names::replica_set(&cluster.name_any(), &resize.release.revision);
        // A late order of an old leader, or one on an old look, is a conflict and does nothing.
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": version},
            "spec": {"replicas": resize.to},
        }));
        api.patch(&name, &PatchParams::default(), &patch).await?;
        return Ok(());
    }
    // The template of a release is only in the spec; a rollover never starts one that is not.
    let replica_set = replica_set::build(
        cluster,
        &resize.release,
        resize.to,
        world.spec.managed_sealing,
    )
    .map_err(|error| Error::Kubernetes(Box::new(kube::Error::SerdeError(error))))?;
    match api.create(&PostParams::default(), &replica_set).await {
        Ok(_) => Ok(()),
        // An answer was lost before: it is there, and the next look sees its number.
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Deletes `ReplicaSets` that have no chambers left.
pub async fn remove(
    ctx: &Context,
    cluster: &ChamberCluster,
    names: &[String],
) -> Result<(), Error> {
    let api = api(ctx, cluster);
    let each =
        names.iter().map(
            async |name| match api.delete(name, &DeleteParams::background()).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                Err(error) => Err(error),
            },
        );
    try_join_all(each).await?;
    Ok(())
}
