//! The run manifest beside the sealed blob, so that a copy of the Secrets has it, too.
//!
//! Nothing rests on it: whatever goes wrong is told, and stops nothing.

use chamber_api::ChamberCluster;
use chamber_resource::{manifest, manifest_secret};
use cluster_manifest::{Authority, SignedManifest};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use rollover::World;

use crate::context::Context;
use crate::kubernetes;

/// The spec's run manifest is in a Secret of its own, or an Event says why it is not. Only one that chambers would believe, of
/// the master key that this cluster has.
pub async fn keep(ctx: &Context, cluster: &ChamberCluster, world: &World) {
    if world.spec.deletion.is_some() || !is_of_this_key(world) {
        return;
    }
    if let Some(why) = unkept(ctx, cluster).await {
        tracing::warn!(cluster = %cluster.name_any(), why, "the run manifest is not stored");
        ctx.events.unkept(cluster, why).await;
    }
}

/// Why it is not there.
async fn unkept(ctx: &Context, cluster: &ChamberCluster) -> Option<String> {
    let authorities = manifest::authorities(&cluster.spec).ok()?;
    let signed = manifest::of_spec(&cluster.spec).ok()??;
    let wanted = build(cluster, &signed, &authorities)?;
    let name = wanted.name_any();
    let secrets =
        Api::<Secret>::namespaced(ctx.client.clone(), &cluster.namespace().unwrap_or_default());
    let made = match secrets.get_opt(&name).await {
        Ok(Some(found)) => return objection(&found, &wanted, &authorities),
        Ok(None) => secrets.create(&PostParams::default(), &wanted).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => None,
        // Whoever was faster is looked at in the next turn.
        Err(kube::Error::Api(status)) if status.is_already_exists() => None,
        Err(error) => {
            let error = kubernetes::Error::from(error);
            Some(format!(
                "Secret {name}, with the run manifest, is not there: {error}. Nothing waits for it; a copy of the Secrets lacks the manifest"
            ))
        }
    }
}

fn build(
    cluster: &ChamberCluster,
    signed: &SignedManifest,
    authorities: &[Authority],
) -> Option<Secret> {
    let kept = manifest_secret::kept(signed, authorities).ok()?;
    manifest_secret::build(&cluster.name_any(), &kept).ok()
}

/// What speaks against the Secret that is there. The first of a body stays, whoever signed it later.
fn objection(found: &Secret, wanted: &Secret, authorities: &[Authority]) -> Option<String> {
    let name = wanted.name_any();
    match manifest_secret::same(found, wanted) {
        None => Some(format!(
            "Secret {name} has the name of the run manifest's, and somebody else made it: it is left as it is, and the manifest is not stored. Delete it, and the operator makes its own"
        )),
        Some(stored) if stored.verify(authorities).is_err() => Some(format!(
            "Secret {name} has the run manifest without a signature of spec.release.authorities. Delete it, and the operator stores it with theirs"
        )),
        Some(_) => None,
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
