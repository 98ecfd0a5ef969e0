//! The sealed blob within Admit: bound for a new measurement, or, once in a cluster's life, made.

use jiff::SignedDuration;

use crate::{
    Action, Blob, Note, Plan, Reason, Release, Rollover, SealPod, Step, World, keys, measure, tags,
};

const STEP: Step = Step::Admit;
/// How long a failed seal pod is left to be looked at before the next try.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

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
        Some(Blob::Sound { .. }) => {
            let (from, to) = (from.clone(), to.clone());
            Some(Plan::act(STEP, Action::BindBlob { from, to }))
        }
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, Reason::BlobMismatch, why.clone())),
        None => measure::lost(world, STEP),
    }
}

/// Makes the first blob, stores it, and commits the keys to it; `None` when all of that is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&rollover.to.measurement.id()) {
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, Reason::BlobMismatch, why.clone())),
        Some(Blob::Sound { commitment }) => commit(world, STEP, commitment),
        None => measure::lost(world, STEP).or_else(|| Some(first(world, &rollover.to))),
    }
}

fn first(world: &World, target: &Release) -> Plan {
    match &world.seal_pod {
        SealPod::Absent => Plan::act(STEP, Action::StartSeal(target.clone())),
        SealPod::Running => Plan::wait(STEP, Reason::Sealing, "the seal pod makes the master key"),
        SealPod::Offers => Plan::act(STEP, Action::StoreBlob(target.measurement.clone())),
        SealPod::OffersInvalid(why) => Plan::block(
            STEP,
            Reason::SealInvalid,
            format!(
                "the seal pod offers no blob of this cluster: {why}. Correct the image or the spec, then delete the seal pod"
            ),
        ),
        SealPod::Failed { at, message } => match at.checked_add(RETRY) {
            Ok(until) if world.now < until => Plan::wait_until(
                STEP,
                Reason::SealFailed,
                format!("the seal pod failed: {message}. It is tried again"),
                Some(until),
            ),
            _ => Plan::act(STEP, Action::RemoveSealPod),
        },
    }
}

/// The commitment is on every managed key and in status, and the seal pod is gone.
pub fn commit(world: &World, step: Step, commitment: &str) -> Option<Plan> {
    if let Some((name, found)) =
        keys::tagged_commitment(world).filter(|(_, found)| found != commitment)
    {
        let message = format!(
            "key {name} carries the commitment {found}, the sealed Secret holds {commitment}: they are of two master keys. Restore the Secret that fits the keys"
        );
        return Some(Plan::block(step, Reason::BlobMismatch, message));
    }
    let arns: Vec<_> = world
        .facts()
        .filter(|(share, facts)| share.managed && !facts.tags.contains_key(tags::COMMITMENT))
        .map(|(share, _)| share.arn.clone())
        .collect();
    if !arns.is_empty() {
        let commitment = commitment.to_owned();
        return Some(Plan::act(step, Action::TagCommitment { arns, commitment }));
    }
    if world.record.commitment.is_none() {
        let note = Note::Committed(commitment.to_owned());
        return Some(Plan::act(step, Action::Note(note)));
    }
    (world.seal_pod != SealPod::Absent && world.seal_pod != SealPod::Running)
        .then(|| Plan::act(step, Action::RemoveSealPod))
}
