//! The decision: from what is observed to what is done next.
//!
//! [`plan`] is pure: the same [`World`] gives the same [`Plan`], and time is part of the world.
//! Each of the five steps has a file of its name; a step answers `None` when it is done, and then
//! the next one is asked. Nothing remembers where a rollover stands: it is seen.

mod action;
mod breach;
mod chambers;
mod claim;
mod desired;
mod display;
mod history;
mod interrupts;
mod keys;
pub mod laws;
mod manifest;
mod obstacle;
mod origin;
mod ownership;
mod plan;
mod preview;
mod proven;
mod reason;
mod seal;
mod steps;
pub mod tags;
mod takeover;
mod transition;
mod world;

pub use action::{Action, Fence, KeyWrite, Resize};
pub use desired::{AdmittedSet, policy as desired_policy};
pub use keys::{content as policy_content, in_sync};
pub use obstacle::{
    BlobObstacle, ChamberObstacle, ClaimObstacle, DeletionObstacle, KeyName, KeyObstacle, Lacks,
    Named, Obstacle, Query, ReleaseObstacle, SealObstacle, StatusObstacle, Unpinnable,
    VerifyObstacle,
};
pub use plan::{Look, Plan, Step};
pub use preview::{Changes, KeyPreview, ManifestChange, Preview, document, preview};
pub use reason::{Outlook, Reason};
pub use transition::{Answer, Transition, Verb};
pub use world::{
    Attestation, Attestations, Blob, Chamber, Change, Deletion, DriftPolicy, FIRST_GENERATION,
    Failing, Failure, Gate, Key, KeyFacts, KeyState, Manifest, Metrics, Object, ObjectProblem,
    OnFailure, Owner, OwnershipConflict, PersistedState, Phase, PodMetrics, Reading, Readings,
    Refusal, Release, Rollover, Says, SealPod, Set, Share, Spec, Verbs, World, Written, blob_id,
};

use jiff::SignedDuration;

use interrupts::{deletion, failure, retarget, revoke, transfer, verbs};
use steps::{admit, attested, measure, retire, roll, settled, verify};
use world::CONFLICTS;

/// A reading of the keys that an action rests on is at most this old (design, law 1).
pub const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// What to do next.
pub fn plan(world: &World) -> Plan {
    let next = interrupt(world)
        .or_else(|| world.ownership_conflict.as_ref().map(conflicting))
        .or_else(|| seal::other_keys(world))
        .or_else(|| proven::untrue(world).map(|found| Plan::block(Step::Measure, found)))
        .or_else(|| transfer::next(world))
        .unwrap_or_else(|| match &world.record.rollover {
            Some(rollover) => retarget::next(world, rollover)
                .unwrap_or_else(|| failure::judge(world, rollover, in_flight(world, rollover))),
            None => settled::next(world),
        });
    beside(world, guard(world, next))
}

/// What is wrong with objects and keys that the plan does not need is said beside what it waits for.
fn beside(world: &World, mut plan: Plan) -> Plan {
    let object = world.objects.first().map(|problem| &problem.message);
    let mut lasting = world.refusals.iter();
    let refusal = lasting.find(|(arn, _)| world.refuses(arn));
    let also = object.or(refusal.map(|(_, refusal)| &refusal.message));
    if let Plan::Wait { obstacle, .. } | Plan::Block { obstacle, .. } = &mut plan
        && let Some(also) = also
        && !obstacle.to_string().contains(also)
    {
        let found = std::mem::replace(obstacle, Obstacle::Paused);
        *obstacle = Obstacle::Alongside(found.into(), also.clone());
    }
    plan
}

/// What goes on although the rest cannot (the spec has a fault, or chambers cannot be seen): a person's word, revocation, deletion.
pub fn urgent(world: &World) -> Option<Plan> {
    interrupt(world).map(|next| guard(world, next))
}

/// What comes before every step.
fn interrupt(world: &World) -> Option<Plan> {
    verbs::next(world)
        .or_else(|| revoke::next(world))
        .or_else(|| deletion::next(world))
}

/// Nothing is begun that another resource has an older claim to; verbs, revocation and deletion go on.
fn conflicting(ownership_conflict: &OwnershipConflict) -> Plan {
    let found = Obstacle::reported(ownership_conflict.reason, &ownership_conflict.message);
    Plan::block(Step::Measure, found)
}

/// The five steps, in order; the first that is not done says what to do.
fn in_flight(world: &World, rollover: &Rollover) -> Plan {
    let unwell = keys::healthy(world, Step::of(rollover));
    unwell
        .map(|unwell| retire::beside(world, rollover).unwrap_or(unwell))
        .or_else(|| admit::next(world, rollover))
        .or_else(|| roll::next(world, rollover))
        .or_else(|| verify::next(world, rollover))
        .unwrap_or_else(|| retire::next(world, rollover))
}

/// Pauses before an action, and looks at the keys again where a decision rests on an old reading.
fn guard(world: &World, next: Plan) -> Plan {
    let next = match next {
        Plan::Act { step, action } if world.spec.paused && !passes_a_pause(world, &action) => {
            Plan::wait(step, Obstacle::Paused)
        }
        Plan::Act { step, action } if world.spec.dry_run && !passes_a_pause(world, &action) => {
            Plan::wait(step, Obstacle::DryRun(Box::new(action)))
        }
        other => other,
    };
    let rests_on_keys = match &next {
        Plan::Act { action, .. } => action.rests_on_keys(),
        // What keys said long ago holds nothing up for ever, and a revocation that they know of passes every stop.
        Plan::Wait { obstacle, .. } | Plan::Block { obstacle, .. } => {
            let stays = matches!(next, Plan::Block { .. }) || obstacle.reason() == Reason::Paused;
            obstacle.reason().is_about_keys() || stays && world.drift_is_due()
        }
        Plan::Look(_) | Plan::Settled { .. } => false,
    };
    if rests_on_keys && !world.keys_fresh(FRESH) {
        return Plan::Look(Look::Keys);
    }
    next
}

/// A person's word, and a revocation, are not held up by a pause.
fn passes_a_pause(world: &World, action: &Action) -> bool {
    match action {
        Action::Transition(Transition::Answered { .. })
        | Action::TagRevoked { .. }
        | Action::RemoveFinalizer(_) => true,
        Action::WritePolicies(_) | Action::ClaimKeys { .. } => {
            matches!(revoke::next(world), Some(Plan::Act { .. }))
        }
        _ => false,
    }
}
