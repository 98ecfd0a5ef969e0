//! One turn of the loop: observe, plan, check the laws, act, report; and again, until there is nothing to do but wait.

use std::sync::Arc;
use std::time::Duration;

use chamber_api::{ChamberCluster, names};
use chamber_resource::spec;
use jiff::Timestamp;
use kube::runtime::controller::Action as Requeue;
use kube::{Api, ResourceExt};
use rollover::{Action, Plan, Reason, Step, World, laws};

use crate::context::Context;
use crate::observe::{self, Looks};
use crate::{act, events, objects, record, report};

/// Actions of one turn at most: the rest comes in the next one, so that no cluster starves the others.
const ACTIONS: usize = 50;
/// Looks between two actions at most: each kind is answered at once, so more is a defect.
const LOOKS: usize = 4;
/// When a blocked cluster is looked at again: nobody tells when a policy or a Secret changes.
const BLOCKED: Duration = Duration::from_secs(15);
/// When a waiting cluster is looked at again at the latest, even though events should tell.
const WAITING: Duration = Duration::from_secs(30);

/// A turn that could not be ended; the world is looked at anew after a pause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or was not reached.
    #[error("Kubernetes API: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// An action failed.
    #[error("{0}")]
    Act(#[from] act::Error),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// Brings one `ChamberCluster` as far towards its spec as is possible now.
pub async fn reconcile(seen: Arc<ChamberCluster>, ctx: Arc<Context>) -> Result<Requeue, Error> {
    let namespace = seen.namespace().unwrap_or_default();
    let api = Api::<ChamberCluster>::namespaced(ctx.client.clone(), &namespace);
    // Read anew: the watch may lag behind a status that this process has just written.
    let Some(mut cluster) = api.get_opt(&seen.name_any()).await? else {
        ctx.forget(&seen.uid().unwrap_or_default());
        return Ok(Requeue::await_change());
    };
    let held = cluster
        .finalizers()
        .iter()
        .any(|name| name == names::FINALIZER);
    if cluster.metadata.deletion_timestamp.is_some() && !held {
        return Ok(Requeue::await_change());
    }
    let mut acted = 0;
    loop {
        let end = turn(&ctx, &mut cluster).await?;
        acted += 1;
        match end {
            End::Acted if acted < ACTIONS => {}
            End::Acted => return Ok(Requeue::requeue(Duration::ZERO)),
            End::Gone => {
                ctx.forget(&cluster.uid().unwrap_or_default());
                return Ok(Requeue::await_change());
            }
            End::Rests(pause) => {
                ctx.clear_failures(&cluster.uid().unwrap_or_default());
                return Ok(Requeue::requeue(pause));
            }
        }
    }
}

/// How a turn ended.
enum End {
    /// Something was done: look again at once.
    Acted,
    /// The resource is deleted.
    Gone,
    /// Nothing to do for this long.
    Rests(Duration),
}

/// Observe, plan, check the laws, act, report.
async fn turn(ctx: &Context, cluster: &mut ChamberCluster) -> Result<End, Error> {
    let checked = spec::checked(cluster, &ctx.cluster_uid, ctx.settings.drift_interval);
    let bound = ctx.settings.bindings.check(cluster);
    let spec = match checked.and_then(|spec| bound.map(|()| spec)) {
        Ok(spec) => spec,
        Err(fault) => {
            report::fault(ctx, cluster, &fault).await?;
            return Ok(End::Rests(BLOCKED));
        }
    };
    if spec.deletion.is_none() {
        objects::ensure(ctx, cluster).await?;
    }
    let (world, plan) = decide(ctx, cluster, &spec).await?;
    let Plan::Act { step, action } = plan else {
        report::plan(ctx, cluster, &world, &plan).await?;
        return Ok(End::Rests(pause(&world, &plan)));
    };
    if let Err(breach) = laws::check(&world, &action) {
        let plan = broken(step, &breach);
        ctx.telemetry.law_broken(breach.law);
        report::plan(ctx, cluster, &world, &plan).await?;
        return Ok(End::Rests(BLOCKED));
    }
    let started = std::time::Instant::now();
    let done = perform(ctx, cluster, &world, step, &action).await;
    ctx.telemetry
        .action(&action, done.is_ok(), started.elapsed());
    // Pods come and go, and each moves its ReplicaSet's version: not a failure.
    if let (Action::Resize(_) | Action::Fence(_), Err(Error::Act(error))) = (&action, &done)
        && error.is_conflict()
    {
        return Ok(End::Acted);
    }
    if let Err(error) = done {
        report::failure(ctx, cluster, &world, step, &error).await?;
        return Err(error);
    }
    events::acted(ctx, cluster, step, &action).await;
    let allowed = matches!(action, Action::RemoveFinalizer(_));
    Ok(if allowed && spec.deletion.is_some() {
        End::Gone
    } else {
        End::Acted
    })
}

/// Plans, reading what the plan asks for, until it says something else.
async fn decide(
    ctx: &Context,
    cluster: &ChamberCluster,
    spec: &rollover::Spec,
) -> Result<(World, Plan), Error> {
    let mut looks = Looks::default();
    let mut world = observe::world(ctx, cluster, spec).await?;
    for _ in 0..LOOKS {
        let plan = rollover::plan(&world);
        let Plan::Look(look) = &plan else {
            return Ok((world, plan));
        };
        observe::look(ctx, cluster, &mut world, look, &mut looks).await?;
    }
    let message = "what the plan asks to read is never enough";
    let plan = Plan::Block {
        step: Step::Settled,
        reason: Reason::LawBroken,
        message: message.into(),
    };
    Ok((world, plan))
}

/// Writes facts into status, or does what changes the world.
async fn perform(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    step: Step,
    action: &Action,
) -> Result<(), Error> {
    act::perform(ctx, cluster, world, action).await?;
    if let Action::AddFinalizer | Action::RemoveFinalizer(_) = action {
        let hold = matches!(action, Action::AddFinalizer);
        match act::deletion::hold(ctx, cluster, hold).await? {
            Some(patched) => *cluster = patched,
            None => return Ok(()),
        }
    }
    let mut status = cluster.status.clone().unwrap_or_default();
    record::acted(&mut status, action, Timestamp::now());
    report::acting(ctx, cluster, world, step, status).await
}

fn broken(step: Step, breach: &laws::Breach) -> Plan {
    tracing::error!(law = breach.law, message = %breach.message, "a law would be broken");
    Plan::Block {
        step,
        reason: Reason::LawBroken,
        message: format!(
            "law {} would be broken: {}. Nothing was done; this is a defect of the operator, please report it",
            breach.law, breach.message
        ),
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

/// Pauses longer after each failure in a row, at most a minute.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that Controller::run takes"
)]
pub fn on_error(cluster: Arc<ChamberCluster>, error: &Error, ctx: Arc<Context>) -> Requeue {
    let failures = ctx.count_failure(&cluster.uid().unwrap_or_default());
    ctx.telemetry.turn_failed();
    let pause = Duration::from_millis(500) * 2_u32.saturating_pow(failures.min(7));
    tracing::warn!(cluster = %cluster.name_any(), %error, failures, "turn failed");
    Requeue::requeue(pause.min(Duration::from_mins(1)))
}
