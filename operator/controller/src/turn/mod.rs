//! One turn: observe, plan, check the laws, act, report.

mod carry;
mod decide;
mod hindered;
mod outcome;
mod tries;

use std::time::Duration;

use chamber_api::ChamberCluster;
use chamber_resource::Fault;
use chamber_resource::spec::{self, Uids};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use rollover::{Action, Obstacle, Plan, Reason, Spec, Step, World};
use tokio::time::Instant;

use crate::context::Context;
use crate::{act, kubernetes, objects, observe, report, salvage, spread};
use carry::{Report, carry_out, failed};
use decide::decide;
use hindered::{Hindrance, hindered, nameless, unusable};
use outcome::BLOCKED;

pub use outcome::{End, Error};
pub use tries::Tries;

/// When a waiting cluster is looked at again at the latest, even though events should tell.
const WAITING: Duration = Duration::from_secs(30);

/// An order that stops chambers, or takes a measurement away, comes at most this long after the look at the chambers.
const ORDER: Duration = Duration::from_secs(5);

/// Observe, plan, check the laws, act, report.
pub async fn turn(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    tries: &mut Tries,
) -> Result<End, Error> {
    let uids = match ctx.uids(cluster).await {
        Ok(uids) => uids,
        Err(error) => return nameless(ctx, cluster, error).await,
    };
    let (spec, fault) = match usable(ctx, cluster, &uids) {
        Ok(usable) => usable,
        Err(fault) => return unusable(ctx, cluster, &fault).await,
    };
    let keeps = spec.deletion.is_none() && fault.is_none();
    let made = if keeps {
        objects::ensure(ctx, cluster).await
    } else {
        Ok(Vec::new())
    };
    let seen = observe::world(ctx, cluster, &spec).await;
    let mut world = seen.world;
    let hindrance = Hindrance {
        fault,
        unseen: seen.unseen.map(Into::into),
    };
    if !hindrance.is_none() {
        world.objects = made.unwrap_or_default();
        return hindered(ctx, cluster, world, hindrance, tries).await;
    }
    let made = match made {
        Ok(problems) if keeps => {
            world.objects = problems;
            keep(ctx, cluster, &mut world, &seen.replica_sets).await
        }
        made => made.map(|problems| world.objects = problems),
    };
    let made = made.map_err(act::Error::from);
    let planned = decide(ctx, cluster, &mut world, |world| {
        Some(rollover::plan(world))
    });
    let plan = match (planned.await, made) {
        (Err(error), _) => return failed(ctx, cluster, &world, error.into()).await,
        (Ok(None), _) => return Ok(End::Rests(BLOCKED)),
        (Ok(Some(plan)), Ok(())) => plan,
        (Ok(Some(Plan::Act { action, .. })), Err(error)) if needs_objects(&action) => {
            return failed(ctx, cluster, &world, error.into()).await;
        }
        (Ok(Some(plan)), Err(error)) => besides(plan, &error),
    };
    match plan {
        Plan::Act { step, action } => {
            act_in_time(ctx, cluster, &world, step, &action, seen.since, tries).await
        }
        rests => rest(ctx, cluster, &world, &rests).await,
    }
}

/// Reports what is waited for, and keeps the manifest: a slow answer makes no action late here.
async fn rest(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    plan: &Plan,
) -> Result<End, Error> {
    report::plan(ctx, cluster, world, plan).await?;
    objects::manifest::keep(ctx, cluster, world).await;
    Ok(End::Rests(pause(world, plan)))
}

/// Carries out an action, unless it rests on chambers that were looked at too long ago.
async fn act_in_time(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    step: Step,
    action: &Action,
    seen: Instant,
    tries: &mut Tries,
) -> Result<End, Error> {
    if !rests_on_chambers(action) {
        return carry_out(ctx, cluster, world, step, action, tries, Report::All).await;
    }
    if seen.elapsed() > ORDER {
        return Err(act::Error::LookTooOld.into());
    }
    let ended = carry_out(ctx, cluster, world, step, action, tries, Report::All).await;
    ctx.telemetry.ordered(seen.elapsed());
    ended
}

/// What is kept of the releases' templates, and what is wrong with it beside the other objects.
async fn keep(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &mut World,
    replica_sets: &[ReplicaSet],
) -> Result<(), kubernetes::Error> {
    let templates = objects::templates::keep(ctx, cluster, replica_sets).await?;
    world.templates = templates.kept;
    world.objects.extend(templates.problems);
    Ok(())
}

/// A chamber that crashes after the look is not in it, and no version shows it: such an order is given soon or not at all.
fn rests_on_chambers(action: &Action) -> bool {
    matches!(action, Action::Resize(_) | Action::WritePolicies(_))
}

/// The spec, or what can be saved of it with its fault.
fn usable(
    ctx: &Context,
    cluster: &ChamberCluster,
    uids: &Uids,
) -> Result<(Spec, Option<Fault>), Fault> {
    let uid = cluster.uid().unwrap_or_default();
    let drift = spread::interval(ctx.settings.drift_interval, &uid);
    let checked = spec::checked(cluster, uids, drift);
    let bound = ctx.settings.bindings.check(cluster);
    match checked.and_then(|spec| bound.map(|()| spec)) {
        Ok(spec) => Ok((spec, None)),
        Err(fault) => match salvage::spec(cluster, uids, drift) {
            Some(spec) => Ok((spec, Some(fault))),
            None => Err(fault),
        },
    }
}

/// Chambers are started and stopped only behind their Services and their disruption budget.
fn needs_objects(action: &Action) -> bool {
    matches!(action, Action::MakeSet(_) | Action::Resize(_))
}

/// The same plan, which also says what could not be made.
fn besides(mut plan: Plan, error: &act::Error) -> Plan {
    match &mut plan {
        Plan::Settled { .. } => Plan::Block {
            step: Step::Settled,
            obstacle: Obstacle::reported(Reason::ActionFailed, error.to_string()),
        },
        Plan::Wait { obstacle, .. } | Plan::Block { obstacle, .. } => {
            let found = std::mem::replace(obstacle, Obstacle::Paused);
            *obstacle = Obstacle::Alongside(found.into(), error.to_string());
            plan
        }
        Plan::Look(_) | Plan::Act { .. } => plan,
    }
}

fn pause(world: &World, plan: &Plan) -> Duration {
    let until = |at: Timestamp| {
        let left = at.duration_since(world.now);
        // A little later than asked, so that the time has come for certain.
        Duration::try_from(left).unwrap_or_default() + Duration::from_millis(5)
    };
    match plan {
        Plan::Settled { until: at } => until(*at),
        // The watches tell what is waited for, but they are silent for a while when the API server was away.
        Plan::Wait {
            until: Some(at), ..
        } => until(*at).min(WAITING),
        Plan::Wait { .. } => WAITING,
        Plan::Block { .. } | Plan::Look(_) | Plan::Act { .. } => BLOCKED,
    }
}
