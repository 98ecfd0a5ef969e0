//! The decision: from what is observed to what is done next.
//!
//! [`plan`] is pure: the same [`World`] gives the same [`Plan`], and time is part of the world.
//! Each of the five steps has a file of its name; a step answers `None` when it is done, and then
//! the next one is asked. Nothing remembers where a rollover stands: it is seen.

mod admit;
mod keys;
pub mod laws;
mod measure;
mod plan;
mod reason;
mod retire;
mod roll;
mod seal;
mod settled;
mod verify;
mod world;

pub use keys::in_sync;
pub use plan::{Action, KeyWrite, Look, Note, Plan, Resize, Step};
pub use reason::Reason;
pub use world::{
    Blob, Chamber, Key, KeyFacts, KeyState, Metrics, PodMetrics, Reading, Record, Release, Rival,
    Rollover, SealPod, Set, Share, Spec, World,
};

use jiff::SignedDuration;

/// A reading of the keys that an action rests on is at most this old (design, law 1).
pub const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// What to do next.
pub fn plan(world: &World) -> Plan {
    let next = match (&world.rival, &world.record.rollover) {
        (Some(rival), _) => Plan::block(Step::Measure, rival.reason, rival.message.clone()),
        (None, Some(rollover)) => in_flight(world, rollover),
        (None, None) => settled::next(world),
    };
    guard(world, next)
}

/// The five steps, in order; the first that is not done says what to do.
fn in_flight(world: &World, rollover: &Rollover) -> Plan {
    measure::retarget(world, rollover)
        .or_else(|| keys::healthy(world, Step::of(rollover)))
        .or_else(|| admit::next(world, rollover))
        .or_else(|| roll::next(world, rollover))
        .or_else(|| verify::next(world, rollover))
        .unwrap_or_else(|| retire::next(world, rollover))
}

/// Pauses before an action, and looks at the keys again where a decision rests on an old reading.
fn guard(world: &World, next: Plan) -> Plan {
    if let (true, Plan::Act { step, .. }) = (world.spec.paused, &next) {
        let message = "spec.rollover.paused is true: set it to false to go on";
        return Plan::wait(*step, Reason::Paused, message);
    }
    let rests_on_keys = match &next {
        Plan::Act { action, .. } => action.rests_on_keys(),
        Plan::Block { reason, .. } | Plan::Wait { reason, .. } => reason.is_about_keys(),
        Plan::Look(_) | Plan::Settled { .. } => false,
    };
    if rests_on_keys && !world.keys_fresh(FRESH) {
        return Plan::Look(Look::Keys);
    }
    next
}
