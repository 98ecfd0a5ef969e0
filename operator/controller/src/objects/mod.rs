//! What the operator makes in Kubernetes, one kind a file.

pub mod budget;
pub mod labels;
pub mod manifest;
pub mod replica_set;
pub mod seal_pod;
pub mod services;
mod template;
pub mod templates;
mod undo;

use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use rollover::{Object, ObjectProblem, Reason};

use crate::context::Context;
use crate::kubernetes;

/// Hash of what was applied last; an equal one needs no write.
const APPLIED: &str = "chamber.dev/applied";

/// Services and the disruption budget are there and as they should be, or it is said what is wrong with them.
/// An error is one of asking, not of the objects.
pub async fn ensure(
    ctx: &Context,
    cluster: &ChamberCluster,
) -> Result<Vec<ObjectProblem>, kubernetes::Error> {
    let mut problems = Vec::new();
    // A Service needs a port: chambers that serve none are reached by nobody.
    for service in [services::unsealed(cluster), services::headless(cluster)] {
        if services::has_ports(&service) {
            problems.extend(apply::<Service>(ctx, cluster, service).await?);
        }
    }
    problems.extend(apply::<PodDisruptionBudget>(ctx, cluster, budget::build(cluster)).await?);
    Ok(problems)
}

/// Server-side apply, only where the object is missing, is of another version than the one that was applied, or was
/// edited since; and never where somebody else made it.
async fn apply<K>(
    ctx: &Context,
    cluster: &ChamberCluster,
    mut wanted: K,
) -> Result<Option<ObjectProblem>, kubernetes::Error>
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
    let found = api.get_opt(&name).await?;
    if let Some(found) = &found {
        if !is_ours_or_orphaned(cluster, found) {
            return Ok(Some(taken(&K::kind(&()), &name)));
        }
        if found.annotations().get(APPLIED) == Some(&hash) {
            return put_right(&api, found, &wanted).await;
        }
    }
    wanted.annotations_mut().insert(APPLIED.to_owned(), hash);
    // Whoever made one since the look is not overruled: without force that is a conflict, and looked at again.
    let params = PatchParams::apply(names::MANAGER);
    let params = if found.is_some() {
        params.force()
    } else {
        params
    };
    match api.patch(&name, &params, &Patch::Apply(&wanted)).await {
        Ok(_) => Ok(None),
        // What the API server does not take today it may take after somebody has changed something.
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
            let refused = kubernetes::Error::from(kube::Error::Api(status));
            Ok(Some(refusal(&K::kind(&()), &name, &refused)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Undoes what somebody edited in an object of ours. One that stays edited has another writer, and is not fought.
async fn put_right<K>(
    api: &Api<K>,
    found: &K,
    wanted: &K,
) -> Result<Option<ObjectProblem>, kubernetes::Error>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let value = |object: &K| serde_json::to_value(object).map_err(kube::Error::SerdeError);
    let (kind, name) = (K::kind(&()), wanted.name_any());
    let Some(patch) = undo::patch(&value(found)?, &value(wanted)?) else {
        return Ok(None);
    };
    tracing::warn!(%kind, name, "somebody edited it; it is put right");
    let params = PatchParams {
        field_manager: Some(names::MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match api.patch(&name, &params, &Patch::Merge(&patch)).await {
        Ok(patched) if undo::patch(&value(&patched)?, &value(wanted)?).is_none() => Ok(None),
        Ok(_) => Ok(Some(ObjectProblem {
            object: Object::Surroundings,
            reason: Reason::ObjectRefused,
            message: format!(
                "{kind} {name} was edited, and something (an admission webhook, another controller) changes it again when it is put right. Except it there"
            ),
        })),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
            let refused = kubernetes::Error::from(kube::Error::Api(status));
            Ok(Some(refusal(&kind, &name, &refused)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether this resource made an object: it is its controller, by uid.
pub fn is_ours(cluster: &ChamberCluster, object: &impl ResourceExt) -> bool {
    let uid = cluster.uid().unwrap_or_default();
    let mut owners = object.owner_references().iter();
    !uid.is_empty() && owners.any(|owner| owner.uid == uid && owner.controller == Some(true))
}

/// Whether an object is this resource's, or was when the resource was deleted and its dependents were kept
/// (`--cascade=orphan`): then it has our labels and no controller.
pub fn is_ours_or_orphaned(cluster: &ChamberCluster, object: &impl ResourceExt) -> bool {
    let label = |name: &str| object.labels().get(name).map(String::as_str);
    let mut owners = object.owner_references().iter();
    let orphaned = !owners.any(|owner| owner.controller == Some(true))
        && label(names::MANAGED_BY) == Some(names::MANAGER)
        && label(names::CLUSTER_LABEL) == Some(cluster.name_any().as_str());
    is_ours(cluster, object) || orphaned
}

/// What is said of an object of a name of ours that somebody else made.
pub fn taken(kind: &str, name: &str) -> ObjectProblem {
    ObjectProblem {
        object: Object::Surroundings,
        reason: Reason::NotOurs,
        message: format!(
            "{kind} {name} has a name that this cluster needs, and somebody else made it: it is left as it is. Rename or delete it, or make the ChamberCluster anew under another name"
        ),
    }
}

fn refusal(kind: &str, name: &str, error: &kubernetes::Error) -> ObjectProblem {
    ObjectProblem {
        object: Object::Surroundings,
        reason: Reason::ObjectRefused,
        message: format!("{kind} {name} is not made: {error}"),
    }
}

/// Deleting the resource deletes what it owns; Secrets are never owned.
pub fn owners(cluster: &ChamberCluster) -> Option<Vec<OwnerReference>> {
    cluster.controller_owner_ref(&()).map(|owner| vec![owner])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn cluster() -> ChamberCluster {
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "ours"},
            "spec": {
                "clusterId": "one",
                "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": [{"name": "a", "arn": "k"}]},
                "chambers": {"template": {"spec": {"containers": [{"name": "enclave"}]}}},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }))
        .unwrap()
    }

    fn found(metadata: &Value) -> Service {
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn an_object_is_ours_by_its_owner_s_uid_and_an_orphan_by_its_labels() {
        let labels = json!({names::MANAGED_BY: names::MANAGER, names::CLUSTER_LABEL: "signer"});
        let owner = |uid: &str| json!([{"apiVersion": "v1", "kind": "X", "name": "signer", "uid": uid, "controller": true}]);
        let cases = [
            (json!({"ownerReferences": owner("ours")}), true, true),
            (
                json!({"ownerReferences": owner("theirs"), "labels": labels}),
                false,
                false,
            ),
            (json!({"labels": labels}), false, true),
            (json!({"name": "signer"}), false, false),
        ];
        for (metadata, ours, or_orphaned) in cases {
            let object = found(&metadata);
            assert_eq!(is_ours(&cluster(), &object), ours, "{metadata}");
            assert_eq!(
                is_ours_or_orphaned(&cluster(), &object),
                or_orphaned,
                "{metadata}"
            );
        }
    }

    #[test]
    fn chambers_without_a_port_have_no_service() {
        assert!(!services::has_ports(&services::unsealed(&cluster())));
    }
}
