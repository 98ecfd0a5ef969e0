//! One look at everything, as the planner wants to see it.
//!
//! Pods and `ReplicaSets` are listed from the API server each time, never from a cache: Roll and
//! Retire rest on them. Keys and metrics are read when the plan asks for them.

mod blobs;
mod budgets;
mod chambers;
pub mod metrics;
mod rivals;
mod seal_pod;

use std::collections::BTreeMap;

use chamber_api::{ChamberCluster, names};
use jiff::Timestamp;
use kube::ResourceExt;
use rollover::{Look, Spec, World};

use chamber_resource::record;

use crate::context::Context;
use crate::kms;

pub use blobs::{check as check_blob, stored as stored_blob};
pub use seal_pod::offer;

/// What was read in this turn already.
#[derive(Default)]
pub struct Looks {
    keys: bool,
}

/// Everything but what the plan must ask for.
pub async fn world(
    ctx: &Context,
    cluster: &ChamberCluster,
    spec: &Spec,
) -> Result<World, kube::Error> {
    let record = cluster
        .status
        .as_ref()
        .map(record::read)
        .unwrap_or_default();
    let (sets, strays) = chambers::list(ctx, cluster).await?;
    let blobs = if spec.managed_sealing {
        blobs::read(ctx, cluster, spec, &record).await?
    } else {
        BTreeMap::new()
    };
    let seal_pod = seal_pod::read(ctx, cluster, spec, &record).await?;
    let readings = ctx.last_reading(&cluster.uid().unwrap_or_default());
    Ok(World {
        now: Timestamp::now(),
        spec: spec.clone(),
        record,
        readings: readings.unwrap_or_default(),
        sets,
        strays,
        objects: Vec::new(),
        seal_pod,
        blobs,
        metrics: None,
        budget: None,
        finalizer: cluster
            .finalizers()
            .iter()
            .any(|name| name == names::FINALIZER),
        rival: rivals::find(ctx, cluster),
    })
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
        Look::Keys if looks.keys => world.now = Timestamp::now(),
        Look::Keys => {
            looks.keys = true;
            world.readings = kms::read::keys(ctx, cluster, &world.spec).await;
            let uid = cluster.uid().unwrap_or_default();
            ctx.keep_reading(&uid, Some(world.readings.clone()));
            world.now = Timestamp::now();
        }
        Look::Metrics { window } => {
            world.metrics = Some(metrics::read(ctx, cluster, *window).await);
        }
        Look::Budget => world.budget = Some(budgets::allowed(ctx, cluster).await?),
    }
    Ok(())
}
