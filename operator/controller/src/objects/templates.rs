//! What the `ReplicaSet` of each release was made from, kept beside it as a `ControllerRevision`: one that is gone is
//! made again from it, and one that was edited is put right.

use std::collections::BTreeSet;

use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use rollover::{ObjectProblem, Release};
use serde_json::{Value, json};

use crate::context::Context;
use crate::kubernetes;
use crate::objects::{self, labels, owners, refusal};

/// uid of the `ReplicaSet` that a template was kept of.
const KEPT_OF: &str = "chamber.dev/replica-set";
/// What refusals are told of.
const KIND: &str = "ControllerRevision";

/// Which templates are kept, and what could not be put right.
#[derive(Debug, Default)]
pub struct Templates {
    /// By the releases' revisions.
    pub kept: BTreeSet<String>,
    /// What the API server did not take.
    pub problems: Vec<ObjectProblem>,
}

fn api(ctx: &Context, cluster: &ChamberCluster) -> Api<ControllerRevision> {
    Api::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default())
}

/// Keeps what each of these `ReplicaSets` was made from, and puts those right that were edited since.
pub async fn keep(
    ctx: &Context,
    cluster: &ChamberCluster,
    replica_sets: &[ReplicaSet],
) -> Result<Templates, kubernetes::Error> {
    let mut templates = Templates::default();
    let ours = ListParams::default().labels(&format!(
        "{}={},{}={}",
        names::CLUSTER_LABEL,
        cluster.name_any(),
        names::MANAGED_BY,
        names::MANAGER
    ));
    let found = match api(ctx, cluster).list(&ours).await {
        Ok(found) => found.items,
        Err(error) => {
            let problem = told(&cluster.name_any(), error)?;
            templates.problems.push(problem);
            return Ok(templates);
        }
    };
    let mut kept: Vec<_> = found
        .into_iter()
        .filter(|kept| objects::is_ours_or_orphaned(cluster, kept))
        .collect();
    for set in replica_sets {
        let name = set.name_any();
        let of_set = kept.iter().find(|kept| kept.name_any() == name);
        match of_set {
            Some(of_set) if of_set.annotations().get(KEPT_OF) == set.uid().as_ref() => {
                let edited = put_right(ctx, cluster, set, of_set).await?;
                templates.problems.extend(edited);
            }
            stale => match renew(ctx, cluster, set, stale.is_some()).await {
                Ok(new) => kept.push(new),
                Err(error) => templates.problems.push(told(&name, error)?),
            },
        }
    }
    let revisions = kept
        .iter()
        .map(|kept| kept.labels().get(names::REVISION_LABEL));
    templates.kept = revisions.flatten().cloned().collect();
    Ok(templates)
}

/// What was kept of a release's template.
pub async fn kept(
    ctx: &Context,
    cluster: &ChamberCluster,
    release: &Release,
) -> Result<Option<Value>, kube::Error> {
    let name = names::replica_set(&cluster.name_any(), &release.set_id());
    let found = api(ctx, cluster).get_opt(&name).await?;
    let ours = found.filter(|found| objects::is_ours_or_orphaned(cluster, found));
    Ok(ours.and_then(|ours| template(&ours).cloned()))
}

/// Forgets the template of a release that has no `ReplicaSet` any more.
pub async fn forget(ctx: &Context, cluster: &ChamberCluster, name: &str) {
    let gone = api(ctx, cluster)
        .delete(name, &DeleteParams::default())
        .await;
    match gone {
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => {
            // It is small, owned, and replaced where the release comes back.
            let error = kubernetes::Error::from(error);
            tracing::warn!(name, %error, "a template stays");
        }
        Ok(_) => {}
    }
}

fn template(kept: &ControllerRevision) -> Option<&Value> {
    Some(&kept.data.as_ref()?.0)
}

/// A `ReplicaSet` that was made anew has another template's word no longer.
async fn renew(
    ctx: &Context,
    cluster: &ChamberCluster,
    set: &ReplicaSet,
    stale: bool,
) -> Result<ControllerRevision, kube::Error> {
    let api = api(ctx, cluster);
    if stale {
        api.delete(&set.name_any(), &DeleteParams::default())
            .await?;
    }
    let mut labels = labels::common(cluster);
    let revision = set.labels().get(names::REVISION_LABEL).cloned();
    labels.extend(revision.map(|revision| (names::REVISION_LABEL.to_owned(), revision)));
    let spec = set.spec.as_ref();
    let template = serde_json::to_value(spec.and_then(|spec| spec.template.as_ref()));
    let kept = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(set.name_any()),
            labels: Some(labels),
            annotations: Some([(KEPT_OF.to_owned(), set.uid().unwrap_or_default())].into()),
            owner_references: owners(cluster),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(template.map_err(kube::Error::SerdeError)?)),
        revision: 1,
    };
    api.create(&PostParams::default(), &kept).await
}

/// Gives a `ReplicaSet` its template back. Pods that run already stay as they are: what they prove is looked at anyway.
async fn put_right(
    ctx: &Context,
    cluster: &ChamberCluster,
    set: &ReplicaSet,
    kept: &ControllerRevision,
) -> Result<Option<ObjectProblem>, kubernetes::Error> {
    let spec = set.spec.as_ref();
    let found = serde_json::to_value(spec.and_then(|spec| spec.template.as_ref()));
    let found = found.map_err(kube::Error::SerdeError)?;
    let Some(template) = template(kept).filter(|kept| **kept != found) else {
        return Ok(None);
    };
    let name = set.name_any();
    tracing::warn!(
        name,
        "somebody edited the template of a ReplicaSet; it is put right"
    );
    let patch = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": set.resource_version()},
        {"op": "replace", "path": "/spec/template", "value": template},
    ]);
    let patch = serde_json::from_value(patch).map_err(kube::Error::SerdeError)?;
    let sets =
        Api::<ReplicaSet>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    let answer = sets
        .patch(&name, &PatchParams::default(), &Patch::Json::<()>(patch))
        .await;
    match answer {
        Ok(_) => Ok(None),
        Err(error) => told(&name, error).map(Some),
    }
}

/// A refusal is told, and stops nothing that does not need the object.
fn told(name: &str, error: kube::Error) -> Result<ObjectProblem, kubernetes::Error> {
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 409 | 422) => {
            let refused = kubernetes::Error::from(kube::Error::Api(status));
            Ok(refusal(KIND, name, &refused))
        }
        error => Err(error.into()),
    }
}
