//! One look at everything, as the planner wants to see it.
//!
//! Pods and `ReplicaSets` are listed from the API server each time, never from a cache: Roll and
//! Retire rest on them. Keys and metrics are read when the plan asks for them.

mod attestation;
mod blobs;
mod budgets;
mod chambers;
mod conflicts;
mod manifest;
pub mod metrics;
mod seal_pod;

use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use rollover::{Look, Spec, World};
use tokio::time::Instant;

use chamber_resource::persisted_state;

use crate::context::Context;
use crate::kms;

pub use blobs::{check as check_blob, stored as stored_blob};
pub use seal_pod::offer;

/// What was read in this turn already.
#[derive(Default)]
pub struct Looks {
    keys: bool,
}

/// One look.
pub struct Seen {
    /// Everything but what the plan must ask for.
    pub world: World,
    /// The `ReplicaSets` as the API server has them.
    pub replica_sets: Vec<ReplicaSet>,
    /// Why chambers, blobs or the seal pod are not in it, where they are not.
    pub unseen: Option<kube::Error>,
    /// When it began: what is ordered rests on what was so then.
    pub since: Instant,
}

/// Looks at everything but what the plan must ask for.
pub async fn world(ctx: &Context, cluster: &ChamberCluster, spec: &Spec) -> Seen {
    let since = Instant::now();
    let mut world = known(ctx, cluster, spec);
    let (replica_sets, unseen) = match see(ctx, cluster, spec, &mut world).await {
        Ok(replica_sets) => (replica_sets, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Seen {
        world,
        replica_sets,
        unseen,
        since,
    }
}

/// Reads what changes by itself.
async fn see(
    ctx: &Context,
    cluster: &ChamberCluster,
    spec: &Spec,
    world: &mut World,
) -> Result<Vec<ReplicaSet>, kube::Error> {
    let found = chambers::list(ctx, cluster).await?;
    (world.sets, world.orphans) = (found.sets, found.orphans);
    if spec.managed_sealing {
        let stored = blobs::read(ctx, cluster, spec, &world.record).await?;
        (world.blobs, world.other_keys) = (stored.blobs, stored.other_keys);
        (world.manifest_objection, world.blob_lacks) = (stored.objection, stored.lacks);
    }
    world.seal_pod = seal_pod::read(ctx, cluster, spec, &world.record).await?;
    world.now = ctx.clock.now();
    Ok(found.replica_sets)
}

/// What is known without a call.
fn known(ctx: &Context, cluster: &ChamberCluster, spec: &Spec) -> World {
    let record = cluster
        .status
        .as_ref()
        .map(persisted_state::read)
        .unwrap_or_default();
    let readings = ctx.last_reading(&cluster.uid().unwrap_or_default());
    let readings = readings.unwrap_or_default();
    let held = |name: &String| name == names::FINALIZER;
    World {
        finalizer: cluster.finalizers().iter().any(held),
        ownership_conflict: conflicts::find(ctx, cluster),
        refusals: ctx.refusals.of(cluster, ctx.clock.now()),
        retire_witnessed: ctx.retire_witnessed(&cluster.uid().unwrap_or_default()),
        ..World::of_keys(ctx.clock.now(), spec.clone(), record, readings)
    }
}

/// Reads what the plan asks for into the world.
pub async fn look(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &mut World,
    look: &Look,
    looks: &mut Looks,
) -> Result<(), kube::Error> {
    match look {
        // A second reading in one turn would find the same.
        Look::Keys if looks.keys => world.now = ctx.clock.now(),
        Look::Keys => {
            looks.keys = true;
            world.readings = kms::read::keys(ctx.keys(cluster), &world.spec).await;
            let uid = cluster.uid().unwrap_or_default();
            ctx.keep_reading(&uid, Some(world.readings.clone()));
            outdated_ids(ctx, cluster, &world.spec).await;
            world.now = ctx.clock.now();
        }
        Look::Metrics { window } => {
            world.metrics = Some(metrics::read(ctx, cluster, *window).await);
        }
        Look::Attestation { revision } => {
            let asked = attestation::read(ctx, cluster, world, revision).await?;
            world.attestations = Some(asked);
            world.now = ctx.clock.now();
        }
        Look::Budget => world.budget = Some(budgets::allowed(ctx, cluster).await?),
    }
    Ok(())
}

/// An Event for each role whose trust policy has the external id of before.
async fn outdated_ids(ctx: &Context, cluster: &ChamberCluster, spec: &Spec) {
    let access = ctx.keys(cluster);
    for share in &spec.shares {
        if let Some(role) = access.outdated(&spec.owner, share) {
            ctx.events.outdated(cluster, &role, &spec.owner).await;
        }
    }
}
