//! `ReplicaSets`: one a release, sized by the plan.

use chamber_api::{ChamberCluster, names};
use futures::future::join_all;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use rollover::{Fence, Release, Resize, World};
use serde_json::json;

use crate::act::error::Error;
use crate::context::Context;
use crate::objects::{self, replica_set, templates};

fn api(ctx: &Context, cluster: &ChamberCluster) -> Api<ReplicaSet> {
    Api::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default())
}

/// Sets the numbers of chambers, all in one go.
pub async fn resize(
    ctx: &Context,
    cluster: &ChamberCluster,
    resizes: &[Resize],
) -> Result<(), Error> {
    let api = api(ctx, cluster);
    let each = resizes.iter().map(async |resize| {
        let name = names::replica_set(&cluster.name_any(), &resize.release.set_id());
        // A late order of an old leader, or one on an old look, is a conflict and does nothing.
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": resize.version},
            "spec": {"replicas": resize.to},
        }));
        api.patch(&name, &PatchParams::default(), &patch).await
    });
    // Every answer is waited for: none of these orders is under way when the next one is given.
    for answer in join_all(each).await {
        answer?;
    }
    Ok(())
}

/// Makes the `ReplicaSet` of a release, with no chambers.
pub async fn make(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    release: &Release,
) -> Result<(), Error> {
    let mut replica_set = replica_set::build(cluster, release, 0, world.spec.managed_sealing)?;
    // The spec has the template of the release that it names alone.
    if world.spec.release.revision != release.revision {
        let kept = templates::kept(ctx, cluster, release).await?;
        let kept = kept.ok_or_else(|| Error::TemplateLost(release.revision.clone()))?;
        if let Some(spec) = &mut replica_set.spec {
            spec.template = Some(serde_json::from_value(kept)?);
        }
    }
    let token = (
        names::FENCE_ANNOTATION.to_owned(),
        ctx.fencing_token.value(),
    );
    replica_set.annotations_mut().extend([token]);
    match api(ctx, cluster)
        .create(&PostParams::default(), &replica_set)
        .await
    {
        Ok(_) => Ok(()),
        // An answer was lost before, and it is there; or somebody else has the name.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let name = replica_set.name_any();
            let found = api(ctx, cluster).get_metadata_opt(&name).await?;
            match found {
                Some(found) if !objects::is_ours_or_orphaned(cluster, &found) => {
                    Err(Error::NotOurs(objects::taken("ReplicaSet", &name).message))
                }
                _ => Ok(()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Marks `ReplicaSets` as this leader's, each while it is as it was seen.
pub async fn fence(ctx: &Context, cluster: &ChamberCluster, fences: &[Fence]) -> Result<(), Error> {
    let api = api(ctx, cluster);
    let each = fences.iter().map(async |fence| {
        let patch = Patch::Merge(json!({"metadata": {
            "resourceVersion": fence.version,
            "annotations": {names::FENCE_ANNOTATION: ctx.fencing_token.value()},
        }}));
        api.patch(&fence.name, &PatchParams::default(), &patch)
            .await
    });
    for answer in join_all(each).await {
        answer?;
    }
    Ok(())
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
    for answer in join_all(each).await {
        answer?;
    }
    join_all(
        names
            .iter()
            .map(|name| templates::forget(ctx, cluster, name)),
    )
    .await;
    Ok(())
}
