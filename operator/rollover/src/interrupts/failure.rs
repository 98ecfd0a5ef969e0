//! When a target has failed, and what follows.

use jiff::Timestamp;

use crate::desired::only_status_names;
use crate::{
    Action, Failure, Obstacle, OnFailure, Plan, Release, ReleaseObstacle, Rollover, Step,
    Transition, World,
};

/// Turns a wait that has lasted too long, and speaks against the target, into what follows from it.
///
/// Only what the target's own pods show can fail it: a lost node, an absent Prometheus or a key
/// in trouble stops a rollover, and says nothing about the release.
pub fn judge(world: &World, rollover: &Rollover, next: Plan) -> Plan {
    // Once Retire has begun the only way is forward.
    if world.no_way_back(rollover) {
        return next;
    }
    if let Some(plan) = revoked(world, rollover) {
        return plan;
    }
    if let Some(failure) = &world.record.failure
        && failure.revision == rollover.to.revision
    {
        let paused = ReleaseObstacle::Paused(failure.clone());
        return Plan::block(Step::of(rollover), paused);
    }
    let Plan::Wait {
        step,
        obstacle,
        until,
    } = next
    else {
        return next;
    };
    let blames = obstacle.blames_the_target();
    match deadline(world, rollover, step).filter(|_| blames) {
        None => Plan::wait_until(step, obstacle, until),
        Some(deadline) if world.now < deadline => {
            let until = until.map_or(deadline, |until| until.min(deadline));
            Plan::wait_until(step, obstacle, Some(until))
        }
        Some(_) => failed(world, rollover, step, &obstacle),
    }
}

fn failed(world: &World, rollover: &Rollover, step: Step, obstacle: &Obstacle) -> Plan {
    let reason = obstacle.reason();
    let why = format!("{reason} for longer than spec.rollover.progressDeadline: {obstacle}");
    let failure = Failure {
        revision: rollover.to.revision.clone(),
        why: why.clone(),
    };
    let note = |back| {
        let failure = failure.clone();
        Plan::act(
            step,
            Action::Transition(Transition::Failed { failure, back }),
        )
    };
    match &rollover.from {
        // Nothing to return to, and nothing in the way of it going well after all.
        None => Plan::block(step, ReleaseObstacle::FirstStart(why)),
        // Who returns is not sent back to what was left: the two would take turns for ever.
        Some(from) if returns(world, rollover) || is_failed(world, &from.revision) => {
            let to = rollover.to.revision.clone();
            Plan::block(step, ReleaseObstacle::Return(to, why))
        }
        Some(_) if world.spec.on_failure == OnFailure::Pause => note(false),
        Some(from) if !can_return(world, from) => {
            Plan::block(step, ReleaseObstacle::NoWayBack(why, from.revision.clone()))
        }
        Some(_) => note(true),
    }
}

/// Whether the release before is more than a name in status, and was not revoked.
fn can_return(world: &World, from: &Release) -> bool {
    !world.revoked(&from.measurement.image_sha384) && !only_status_names(world, from)
}

/// Whether the rollover goes to what ran last, and the spec names something else.
fn returns(world: &World, rollover: &Rollover) -> bool {
    let current = world.record.current.as_ref();
    let to_current = current.is_some_and(|current| current.revision == rollover.to.revision);
    to_current && rollover.to.revision != world.spec.release.revision
}

fn is_failed(world: &World, revision: &str) -> bool {
    let failure = world.record.failure.as_ref();
    failure.is_some_and(|failure| failure.revision == revision)
}

/// A target that was revoked on its way is left; where there is no way back, a person must name another.
fn revoked(world: &World, rollover: &Rollover) -> Option<Plan> {
    let image = &rollover.to.measurement.image_sha384;
    if !world.revoked(image) {
        return None;
    }
    let step = Step::of(rollover);
    let way_back = rollover
        .from
        .as_ref()
        .is_some_and(|from| can_return(world, from));
    if way_back {
        let failure = Failure {
            revision: rollover.to.revision.clone(),
            why: "its image was revoked".to_owned(),
        };
        let note = Transition::Failed {
            failure,
            back: true,
        };
        return Some(Plan::act(step, Action::Transition(note)));
    }
    let revoked = ReleaseObstacle::RevokedTarget(rollover.to.revision.clone());
    Some(Plan::block(step, revoked))
}

/// The time until which the target may go on without progress; unsealing and getting a node is progress, soaking is none lost.
fn deadline(world: &World, rollover: &Rollover, step: Step) -> Option<Timestamp> {
    // While no node has room for a chamber, no time of the release passes.
    let moved = world
        .set(&rollover.to.revision)
        .into_iter()
        .flat_map(|set| &set.chambers)
        .filter_map(|chamber| chamber.unsealed_since.max(chamber.scheduled_at))
        .max();
    let progress = moved.map_or(rollover.progressed_at, |at| at.max(rollover.progressed_at));
    let soak = match step {
        Step::Verify => world.spec.soak_time,
        _ => jiff::SignedDuration::ZERO,
    };
    progress
        .checked_add(soak)
        .and_then(|at| at.checked_add(world.spec.progress_deadline))
        .ok()
}
