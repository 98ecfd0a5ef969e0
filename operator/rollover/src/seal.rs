//! The sealed blob within Admit: bound for a new measurement, or, once in a cluster's life, made.

use jiff::{SignedDuration, Timestamp};
use measurement::Measurement;

use crate::{
    Action, Blob, BlobObstacle, KeyFacts, Plan, Release, Rollover, SealObstacle, SealPod, Share,
    Step, Transition, World, chambers, claim, keys, manifest, measure, origin, tags, verify,
};

const STEP: Step = Step::Admit;
/// How long a failed seal pod is left to be looked at before the next try.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

/// Why chambers with this measurement would not start on this cluster's master key.
pub fn unsound(world: &World, step: Step, measurement: &Measurement) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&measurement.id()) {
        Some(Blob::Sound { commitment }) => origin::foreign(world, step, commitment),
        Some(Blob::Unsound(why)) => Some(Plan::block(step, BlobObstacle::Unsound(why.clone()))),
        None => measure::lost(world, step),
    }
}

/// Binds the blob of the release before to the target's measurement.
pub fn bind(world: &World, rollover: &Rollover) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    let to = &rollover.to.measurement;
    if world.blobs.contains_key(&to.id()) {
        return None;
    }
    let from = &rollover.from.as_ref()?.measurement;
    match world.blobs.get(&from.id()) {
        Some(Blob::Sound { commitment }) => {
            origin::foreign(world, STEP, commitment).or_else(|| {
                let (from, to) = (from.clone(), to.clone());
                Some(Plan::act(STEP, Action::BindBlob { from, to }))
            })
        }
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, BlobObstacle::Unsound(why.clone()))),
        None => measure::lost(world, STEP),
    }
}

/// Makes the first blob, stores it, and commits the keys to it; `None` when all of that is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&rollover.to.measurement.id()) {
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, BlobObstacle::Unsound(why.clone()))),
        Some(Blob::Sound { commitment }) => commit(world, STEP, commitment)
            .or_else(|| manifest::wanted(world, STEP).filter(|_| is_the_specs(world, rollover))),
        None => measure::lost(world, STEP).or_else(|| Some(first(world, &rollover.to))),
    }
}

/// The manifest is for what the spec names; the way back to a release before needs none of it.
fn is_the_specs(world: &World, rollover: &Rollover) -> bool {
    world.spec.release.revision == rollover.to.revision
}

fn first(world: &World, target: &Release) -> Plan {
    match &world.seal_pod {
        SealPod::Absent => Plan::act(STEP, Action::StartSeal(target.clone())),
        SealPod::Outdated => Plan::act(STEP, Action::RemoveSealPod),
        SealPod::Offers { .. } => Plan::act(STEP, Action::StoreBlob(target.measurement.clone())),
        SealPod::Foreign(which) => Plan::block(STEP, SealObstacle::Foreign(which.clone())),
        SealPod::OffersInvalid(why) => Plan::block(STEP, SealObstacle::Invalid(why.clone())),
        SealPod::Running { since, unanswered } => at_work(world, *since, unanswered.as_ref()),
        SealPod::Stuck(why) => Plan::wait(STEP, SealObstacle::Stuck(why.clone())),
        SealPod::Ending { by, node } => ending(world, *by, node.as_ref()),
        SealPod::Failed { at, message } => match at.checked_add(RETRY) {
            Ok(until) if world.now < until => {
                let failed = SealObstacle::Failed(message.clone());
                Plan::wait_until(STEP, failed, Some(until))
            }
            _ => Plan::act(STEP, Action::RemoveSealPod),
        },
    }
}

/// It makes the master key, for as long as a release may take to make progress.
fn at_work(world: &World, since: Timestamp, unanswered: Option<&String>) -> Plan {
    let deadline = since.checked_add(world.spec.progress_deadline).ok();
    if deadline.is_none_or(|deadline| world.now < deadline) {
        let until = deadline
            .into_iter()
            .chain([verify::again(world.now, since)]);
        let at_work = SealObstacle::AtWork(unanswered.cloned());
        return Plan::wait_until(STEP, at_work, until.min());
    }
    Plan::wait(STEP, SealObstacle::Overdue(since, unanswered.cloned()))
}

fn ending(world: &World, by: Timestamp, node: Option<&String>) -> Plan {
    let lost_at = by.checked_add(chambers::LOST).ok();
    if lost_at.is_none_or(|at| world.now < at) {
        return Plan::wait_until(STEP, SealObstacle::Ending, lost_at);
    }
    Plan::block(STEP, SealObstacle::NodeLost(by, node.cloned()))
}

/// The commitment is on every managed key that takes part and in status, and the seal pod is gone.
pub fn commit(world: &World, step: Step, commitment: &str) -> Option<Plan> {
    if let Some(plan) = origin::foreign(world, step, commitment) {
        return Some(plan);
    }
    // Another owner's key is not marked, and one that refuses the tag keeps nothing else from going on.
    let unmarked = |share: &Share, facts: &KeyFacts| {
        claim::is_ours(world, facts)
            && !facts.tags.contains_key(tags::COMMITMENT)
            && !world.refuses(&share.arn)
    };
    let arns: Vec<_> = world
        .facts()
        .filter(|(share, facts)| {
            share.managed && keys::takes_part(share, facts) && unmarked(share, facts)
        })
        .map(|(share, _)| share.arn.clone())
        .collect();
    if !arns.is_empty() {
        let commitment = commitment.to_owned();
        return Some(Plan::act(step, Action::TagCommitment { arns, commitment }));
    }
    if world.record.commitment.is_none() {
        let note = Transition::Committed(commitment.to_owned());
        return Some(Plan::act(step, Action::Transition(note)));
    }
    match world.seal_pod {
        SealPod::Absent | SealPod::Foreign(_) | SealPod::Ending { .. } => None,
        _ => Some(Plan::act(step, Action::RemoveSealPod)),
    }
}
