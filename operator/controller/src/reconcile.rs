//! Turn after turn, until there is nothing to do but wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chamber_api::{ChamberCluster, names};
use futures::{FutureExt, StreamExt};
use kube::runtime::controller::{self, Action as Requeue, Controller};
use kube::{Api, ResourceExt};

use crate::context::Context;
use crate::kubernetes;
use crate::lane::Lane;
use crate::turn::{End, Error, Tries, turn};

/// Turns in a row at most: the rest comes after a breath, so that no cluster starves the others.
const TURNS: usize = 50;
/// The pause after that many.
const BREATH: Duration = Duration::from_secs(1);

/// Turn after turn for the resources of one watch, with workers of their own.
pub async fn serve(
    controller: Controller<ChamberCluster>,
    ctx: Arc<Context>,
    told_to_stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let lane = Arc::new(Lane::new(ctx.telemetry.line()));
    let closing = lane.clone();
    let told_to_stop = told_to_stop.map(move |()| closing.close());
    controller
        .graceful_shutdown_on(told_to_stop)
        .run(
            move |seen, ctx| in_line(lane.clone(), seen, ctx),
            on_error,
            ctx,
        )
        .for_each(async |turn| {
            if let Err(controller::Error::QueueError(error)) = turn {
                tracing::warn!(%error, "watching resources");
            }
        })
        .await;
}

/// The same as [`reconcile`], once a worker is free; nothing where the process ends before.
async fn in_line(
    lane: Arc<Lane>,
    seen: Arc<ChamberCluster>,
    ctx: Arc<Context>,
) -> Result<Requeue, Error> {
    // Who pauses takes nobody's place.
    if let Some(left) = ctx.pace.left(&seen) {
        return Ok(Requeue::requeue(left));
    }
    let Some(_worker) = lane.worker().await else {
        return Ok(Requeue::await_change());
    };
    reconcile(seen, ctx).await
}

/// Brings one `ChamberCluster` as far towards its spec as is possible now.
pub async fn reconcile(seen: Arc<ChamberCluster>, ctx: Arc<Context>) -> Result<Requeue, Error> {
    if let Some(left) = ctx.pace.left(&seen) {
        return Ok(Requeue::requeue(left));
    }
    let began = Instant::now();
    let ended = turns(&seen, &ctx).await;
    ctx.telemetry.reconciled(ended.is_ok(), began.elapsed());
    ended
}

async fn turns(seen: &ChamberCluster, ctx: &Context) -> Result<Requeue, Error> {
    // Read anew: the watch may lag behind a status that this process has just written.
    let Some(mut cluster) = current(ctx, seen).await? else {
        return Ok(gone(ctx, seen));
    };
    let mut tries = Tries::default();
    for _ in 0..TURNS {
        match Box::pin(turn(ctx, &mut cluster, &mut tries)).await {
            Ok(End::Acted) => tries.moved(),
            Ok(End::Gone) => return Ok(gone(ctx, seen)),
            Ok(End::Rests(pause)) => {
                ctx.pace.clear(&cluster);
                return Ok(Requeue::requeue(pause));
            }
            // It is known now what keys refuse, and written down: the rest goes on.
            Err(error) if error.is_refusal_of_keys() => {}
            Err(error) if tries.looks_again(&error) => {
                let Some(anew) = current(ctx, seen).await? else {
                    return Ok(gone(ctx, seen));
                };
                cluster = anew;
            }
            Err(error) => return Err(error),
        }
    }
    ctx.pace.hold(&cluster, BREATH);
    Ok(Requeue::requeue(BREATH))
}

/// The resource as it is now; none where it is gone, or is being deleted and no longer waits for the operator.
async fn current(
    ctx: &Context,
    seen: &ChamberCluster,
) -> Result<Option<ChamberCluster>, kubernetes::Error> {
    let namespace = seen.namespace().unwrap_or_default();
    let api = Api::<ChamberCluster>::namespaced(ctx.client.clone(), &namespace);
    let found = api.get_opt(&seen.name_any()).await?;
    Ok(found.filter(|cluster| {
        let mut finalizers = cluster.finalizers().iter();
        let held = finalizers.any(|name| name == names::FINALIZER);
        held || cluster.metadata.deletion_timestamp.is_none()
    }))
}

fn gone(ctx: &Context, seen: &ChamberCluster) -> Requeue {
    ctx.forget(seen);
    Requeue::await_change()
}

/// Pauses longer after each failure in a row.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that Controller::run takes"
)]
pub fn on_error(cluster: Arc<ChamberCluster>, error: &Error, ctx: Arc<Context>) -> Requeue {
    let (failures, pause) = ctx.pace.failed(&cluster, error.passes());
    tracing::warn!(cluster = %cluster.name_any(), %error, failures, "turn failed");
    Requeue::requeue(pause)
}
