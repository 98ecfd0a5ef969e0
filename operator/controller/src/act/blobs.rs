//! The sealed blob: made once by the seal pod, stored in an immutable Secret per measurement.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chamber_api::{ChamberCluster, names};
use chamber_resource::{manifest, sealed_secret};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use measurement::Measurement;
use rollover::{FIRST_GENERATION, Release, Spec, World, blob_id};

use crate::act::error::Error;
use crate::context::Context;
use crate::objects::{self, seal_pod};
use crate::observe;

/// Opens the blob of `from` and stores the same inner layer bound to `to`.
pub async fn bind(
    ctx: &Context,
    cluster: &ChamberCluster,
    spec: &Spec,
    (from, to): (&Measurement, &Measurement),
    generation: u32,
) -> Result<(), Error> {
    let bytes = observe::stored_blob(ctx, cluster, &blob_id(from, generation)).await?;
    let bytes = bytes
        .ok_or_else(|| Error::Blob(format!("the Secret for {} is gone", from.image_sha384)))?;
    let inner = observe::check_blob(&bytes, from, generation, spec).map_err(Error::Blob)?;
    let bound = sealed_blob::bind(&inner, to).map_err(|error| Error::Blob(error.to_string()))?;
    store(ctx, cluster, to, generation, &STANDARD.encode(bound)).await
}

/// Stores what the seal pod offers. A Secret that is there counts, and the offer is dropped.
pub async fn store_offer(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    measurement: &Measurement,
) -> Result<(), Error> {
    let offer = observe::offer(ctx, cluster, world).await?;
    let offer =
        offer.ok_or_else(|| Error::Blob("the seal pod no longer offers what was seen".into()))?;
    store(ctx, cluster, measurement, FIRST_GENERATION, &offer).await
}

/// Creates the Secret: immutable, without owner, never overwritten. It outlives the resource.
async fn store(
    ctx: &Context,
    cluster: &ChamberCluster,
    measurement: &Measurement,
    generation: u32,
    blob: &str,
) -> Result<(), Error> {
    let manifest = manifest::text(&cluster.spec);
    let secret = sealed_secret::build(&cluster.name_any(), measurement, generation, blob, manifest);
    let api =
        Api::<Secret>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    match api.create(&PostParams::default(), &secret).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Starts the one-shot pod that makes the master key inside the enclave.
pub async fn start_seal(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    release: &Release,
) -> Result<(), Error> {
    let pod = seal_pod::build(cluster, release, &world.spec)?;
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    match pods.create(&PostParams::default(), &pod).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Deletes the seal pod, and no pod of that name that somebody else made.
pub async fn remove_seal_pod(ctx: &Context, cluster: &ChamberCluster) -> Result<(), Error> {
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    let name = names::seal_pod(&cluster.name_any());
    let found = pods.get_metadata_opt(&name).await?;
    let Some(found) = found.filter(|found| objects::is_ours(cluster, found)) else {
        return Ok(());
    };
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: found.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match pods.delete(&name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
