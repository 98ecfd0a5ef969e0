//! Carrying out one action, and saying what became of it.

use chamber_api::ChamberCluster;
use chamber_resource::persisted_state;
use rollover::{Action, Obstacle, Plan, Reason, Step, Transition, World, laws};

use super::outcome::{BLOCKED, End, Error};
use super::tries::Tries;
use crate::context::Context;
use crate::{act, kubernetes, report};

/// What is said after an action.
#[derive(Clone, Copy)]
pub enum Report {
    /// The whole status.
    All,
    /// The facts that it left: not everything was seen.
    Facts,
}

/// Checks the laws, acts, and writes down what was done, in part or whole.
pub async fn carry_out(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    step: Step,
    action: &Action,
    tries: &mut Tries,
    kind: Report,
) -> Result<End, Error> {
    if let Err(breach) = laws::check(world, action) {
        ctx.telemetry.law_broken(breach.law);
        let plan = broken(step, breach);
        report::plan(ctx, cluster, world, &plan).await?;
        return Ok(End::Rests(BLOCKED));
    }
    if let Err(error) = tries.begin(action) {
        return failed(ctx, cluster, world, error).await;
    }
    let started = std::time::Instant::now();
    let mut done = act::perform(ctx, cluster, world, action).await;
    let mut gone = false;
    let finalizer = matches!(action, Action::AddFinalizer | Action::RemoveFinalizer(_));
    if finalizer && done.failed.is_none() {
        match act::hold(ctx, cluster, matches!(action, Action::AddFinalizer)).await {
            Ok(Some(patched)) => *cluster = patched,
            Ok(None) => gone = true,
            Err(error) => done = Err(error).into(),
        }
    }
    ctx.telemetry
        .action(action, done.failed.is_none(), started.elapsed());
    if gone {
        say(ctx, cluster, step, action).await;
        return Ok(End::Gone);
    }
    if let Some(error) = done.failed.take_if(|error| tries.retries(error)) {
        return Err(error.into());
    }
    settle(ctx, cluster, world, step, done, kind).await
}

/// Writes down what an action left.
async fn settle(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    step: Step,
    done: act::Done,
    kind: Report,
) -> Result<End, Error> {
    let mut status = cluster.status.clone().unwrap_or_default();
    if let Some(part) = &done.part {
        persisted_state::acted(&mut status, part, ctx.clock.now());
    }
    let message = done.failed.as_ref().map(ToString::to_string);
    let reason = match &done.failed {
        Some(error) if error.is_refusal_of_keys() => Reason::KeyRefusesWrite,
        Some(act::Error::NotOurs(_)) => Reason::NotOurs,
        _ => Reason::ActionFailed,
    };
    let told = match (kind, &message) {
        (Report::All, None) => report::acting(ctx, cluster, world, step, status).await,
        (Report::All, Some(message)) => {
            report::failure(ctx, cluster, world, step, status, (reason, message)).await
        }
        (Report::Facts, None) => report::facts(ctx, cluster, status).await,
        (Report::Facts, Some(message)) => {
            cluster.status = Some(status);
            report::unseen(ctx, cluster, step, reason, message).await
        }
    };
    if let Some(error) = done.failed {
        unsaid(told);
        if let Some(part) = &done.part {
            say(ctx, cluster, step, part).await;
        }
        return Err(error.into());
    }
    told?;
    if let (Some(Action::Transition(Transition::RetireBegun)), Some(rollover)) =
        (&done.part, &world.record.rollover)
    {
        let uid = kube::ResourceExt::uid(cluster).unwrap_or_default();
        let target = rollover::tags::retired_for(&rollover.to.measurement);
        ctx.begun_to_retire(&uid, world.record.rollovers, target);
    }
    if let Some(part) = &done.part {
        say(ctx, cluster, step, part).await;
    }
    Ok(End::Acted)
}

/// An Event on what was done. A leader that slept past its lease says nothing any more.
pub async fn say(ctx: &Context, cluster: &ChamberCluster, step: Step, action: &Action) {
    if ctx.lease.is_held() {
        ctx.events.acted(cluster, step, action).await;
    }
}

/// Reports an error that came before any action, and hands it on.
pub async fn failed(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    error: Error,
) -> Result<End, Error> {
    let status = cluster.status.clone().unwrap_or_default();
    let message = error.to_string();
    let step = reached(world);
    unsaid(
        report::failure(
            ctx,
            cluster,
            world,
            step,
            status,
            (Reason::ActionFailed, &message),
        )
        .await,
    );
    Err(error)
}

/// A status that could not be written does not hide what it was to say.
pub fn unsaid(told: Result<(), kubernetes::Error>) {
    if let Err(error) = told {
        tracing::warn!(%error, "status could not be written");
    }
}

/// The step that a rollover has reached by its record.
pub fn reached(world: &World) -> Step {
    let rollover = world.record.rollover.as_ref();
    rollover.map_or(Step::Settled, Step::of)
}

fn broken(step: Step, breach: laws::Breach) -> Plan {
    tracing::error!(law = breach.law, message = %breach.message, "a law would be broken");
    Plan::Block {
        step,
        obstacle: Obstacle::LawBroken(breach.into()),
    }
}
