//! The run manifest beside the sealed blob, so that a copy of the Secrets has it, too.

use chamber_api::ChamberCluster;
use chamber_resource::{manifest, manifest_secret};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use rollover::{ObjectProblem, World};

use crate::context::Context;
use crate::kubernetes;
use crate::objects::{refusal, taken};

/// What refusals are told of.
const KIND: &str = "Secret";

/// The spec's run manifest is in a Secret of its own, or it is said why it is not. Only one that chambers would believe, of
/// the master key that this cluster has.
pub async fn keep(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
) -> Result<Option<ObjectProblem>, kubernetes::Error> {
    let Some(envelope) = manifest::text(&cluster.spec).filter(|_| is_of_this_key(world)) else {
        return Ok(None);
    };
    let wanted = manifest_secret::build(&cluster.name_any(), &envelope);
    let name = wanted.name_any();
    let secrets =
        Api::<Secret>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    let made = match secrets.get_opt(&name).await? {
        Some(found) if manifest_secret::envelope(&found) == Some(&envelope) => return Ok(None),
        Some(_) => return Ok(Some(taken(KIND, &name))),
        None => secrets.create(&PostParams::default(), &wanted).await,
    };
    match made {
        Ok(_) => Ok(None),
        // Whoever was faster is looked at in the next turn.
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
            let refused = kubernetes::Error::from(kube::Error::Api(status));
            Ok(Some(refusal(KIND, &name, &refused)))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_of_this_key(world: &World) -> bool {
    let manifest = world.spec.manifest.as_ref();
    world.manifest_objection.is_none()
        && manifest.is_some_and(|manifest| {
            manifest.believed
                && manifest.commitment.is_some()
                && manifest.commitment == world.record.commitment
        })
}
