//! The sealed blob within Admit: bound for a new measurement, or, once in a cluster's life, made.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Action, Blob, BlobObstacle, FIRST_GENERATION, KeyFacts, Plan, Release, Rollover, SealObstacle,
    SealPod, Share, Step, Transition, World, chambers, claim, keys, manifest, measure, origin,
    tags, verify,
};

const STEP: Step = Step::Admit;
/// How long a failed seal pod is left to be looked at before the next try.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

/// Why chambers with this measurement would not start on this cluster's master key.
pub fn unsound(world: &World, step: Step, release: &Release) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&release.blob_id()) {
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
    let to = &rollover.to;
    if world.blobs.contains_key(&to.blob_id()) {
        return None;
    }
    let from = rollover.from.as_ref()?;
    match world.blobs.get(&from.blob_id()) {
        Some(Blob::Sound { commitment }) => origin::foreign(world, STEP, commitment)
            .or_else(|| unwrapped(world, STEP, Some(from), to))
            .or_else(|| {
                let bind = Action::BindBlob {
                    from: from.measurement.clone(),
                    to: to.measurement.clone(),
                    generation: to.generation,
                };
                Some(Plan::act(STEP, bind))
            }),
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, BlobObstacle::Unsound(why.clone()))),
        None => measure::lost(world, STEP),
    }
}

/// Makes the first blob, stores it, and commits the keys to it; `None` when all of that is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&rollover.to.blob_id()) {
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, BlobObstacle::Unsound(why.clone()))),
        Some(Blob::Sound { commitment }) => commit(world, STEP, commitment)
            .or_else(|| manifest::wanted(world, STEP).filter(|_| is_the_specs(world, rollover))),
        None => measure::lost(world, STEP)
            .or_else(|| unwrapped(world, STEP, None, &rollover.to))
            .or_else(|| Some(first(world, &rollover.to))),
    }
}

/// A seal makes the first generation, and binding moves a blob to another image. Neither makes another generation: that is
/// wrapped anew, under keys that the next manifest names, and its blob has to be there.
pub fn unwrapped(world: &World, step: Step, from: Option<&Release>, to: &Release) -> Option<Plan> {
    let made_of = from.map_or(FIRST_GENERATION, |from| from.generation);
    let missing = to.generation != made_of && !world.blobs.contains_key(&to.blob_id());
    missing.then(|| {
        let generation = BlobObstacle::OtherGeneration {
            revision: to.revision.clone(),
            wanted: to.generation,
            stored: from.map(|from| from.generation),
            secret: format!("{}-sealed-{}", world.spec.owner.name, to.blob_id()),
        };
        Plan::block(step, generation)
    })
}

/// Which keys are live is what the stored blob names, and not what the spec does: while they are others, no step writes a
/// policy for the spec's, and calls none retired. A revocation and a deletion go on, with the spec's.
pub fn other_keys(world: &World) -> Option<Plan> {
    let found = world.other_keys.as_ref()?;
    let others = BlobObstacle::OtherKeys(found.clone());
    let step = world
        .record
        .rollover
        .as_ref()
        .map_or(Step::Settled, Step::of);
    Some(Plan::block(step, others))
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
        SealPod::Failed {
            wants_manifest: true,
            ..
        } if manifest::may_be_unlisted(world, target) => {
            let who = "the seal pod".to_owned();
            Plan::wait(STEP, manifest::authorities_wanted(world, who))
        }
        SealPod::Failed { at, message, .. } => match at.checked_add(RETRY) {
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

/// Commits to the blob of a release while the pod is there that made it.
pub fn proven_by_its_pod(world: &World, of: &Release) -> Option<Plan> {
    let Some(Blob::Sound { commitment }) = world.blobs.get(&of.blob_id()) else {
        return None;
    };
    let offered = SealPod::Offers {
        commitment: commitment.clone(),
    };
    let commits = commit(world, STEP, commitment).filter(|_| world.seal_pod == offered)?;
    matches!(commits, Plan::Act { .. }).then_some(commits)
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
