//! What the operator makes in Kubernetes, one kind a file.

pub mod budget;
pub mod labels;
pub mod replica_set;
pub mod seal_pod;
pub mod services;
mod template;

use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::context::Context;

/// Hash of what was applied last; an equal one needs no write.
const APPLIED: &str = "chamber.dev/applied";

/// Services and the disruption budget are there, and as they should be.
pub async fn ensure(ctx: &Context, cluster: &ChamberCluster) -> Result<(), kube::Error> {
    apply::<Service>(ctx, cluster, services::unsealed(cluster)).await?;
    apply::<Service>(ctx, cluster, services::headless(cluster)).await?;
    apply::<PodDisruptionBudget>(ctx, cluster, budget::build(cluster)).await
}

/// Server-side apply, only where the object is missing or was applied from something else.
async fn apply<K>(ctx: &Context, cluster: &ChamberCluster, mut wanted: K) -> Result<(), kube::Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let api = Api::<K>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    let name = wanted.name_any();
    let text = serde_json::to_string(&wanted).map_err(kube::Error::SerdeError)?;
    let hash = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
    let found = api.get_metadata_opt(&name).await?;
    if found.is_some_and(|found| found.annotations().get(APPLIED) == Some(&hash)) {
        return Ok(());
    }
    wanted.annotations_mut().insert(APPLIED.to_owned(), hash);
    let params = PatchParams::apply(names::MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&wanted)).await?;
    Ok(())
}

/// Deleting the resource deletes what it owns; Secrets are never owned.
pub fn owners(cluster: &ChamberCluster) -> Option<Vec<OwnerReference>> {
    cluster.controller_owner_ref(&()).map(|owner| vec![owner])
}
