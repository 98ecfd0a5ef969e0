//! No rollover in flight: begin one, repair drift, or rest.

use jiff::{SignedDuration, Timestamp};

use crate::admit::{Extent, ask, write_all};
use crate::roll::within_budget;
use crate::{
    Action, AdmittedSet, Blob, DriftPolicy, KeyFacts, Look, Plan, Reason, Release, Step,
    Transition, World, attested, chambers, claim, keys, manifest, measure, ownership, revoke, roll,
    seal, tags,
};

const STEP: Step = Step::Settled;
/// A write of an old leader may arrive late, so policies are read again this long after a rollover (design, law 10).
const AGAIN: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_mins(5)];

/// What there is to do outside a rollover.
pub fn next(world: &World) -> Plan {
    if let Some(failure) = &world.record.failure
        && failure.revision != world.spec.release.revision
    {
        return Plan::act(STEP, Action::Transition(Transition::FailureForgotten));
    }
    // Where status was lost, policies may hold two measurements: a deletion must still say so.
    let Some(current) = &world.record.current else {
        return first_start(world);
    };
    if world.finalizer {
        return Plan::act(STEP, Action::RemoveFinalizer(None));
    }
    if current.revision != world.spec.release.revision && world.failed().is_none() {
        return measure::next(world, Some(current));
    }
    let set = AdmittedSet::only(world, &current.measurement);
    look(world)
        .or_else(|| unproven(world, current))
        .or_else(|| blob(world, current))
        .or_else(|| sets(world, current))
        .or_else(|| attested::before_pin(world, current))
        .or_else(|| drift(world, &set))
        .or_else(|| keys::healthy(world, STEP))
        .or_else(|| ownership::heal(world, STEP))
        .or_else(|| still_admitted(world))
        .or_else(|| ask(world, STEP, &set, Extent::Exactly))
        .or_else(|| unresolved(world, current))
        .or_else(|| manifest::wanted(world, STEP).filter(|_| world.spec.release != *current))
        .unwrap_or_else(|| rest(world))
}

/// Nothing is recorded: a new cluster, or one whose status was lost.
fn first_start(world: &World) -> Plan {
    let [set] = world.sets.as_slice() else {
        return match world.sets.len() {
            0 => measure::next(world, None),
            _ => Plan::block(
                STEP,
                Reason::UnexpectedChambers,
                "status is lost and ReplicaSets of several releases are there: scale those that are not wanted to 0 and delete them",
            ),
        };
    };
    if let Some(plan) = keys::healthy(world, STEP) {
        return plan;
    }
    let everywhere = world
        .facts()
        .all(|(share, facts)| keys::admits_alone(share, facts, &set.release.measurement));
    if everywhere {
        let (number, _) = claim::furthest(world).unwrap_or_default();
        let release = set.release.clone();
        return Plan::act(
            STEP,
            Action::Transition(Transition::Recovered { release, number }),
        );
    }
    let message = format!(
        "status is lost, and not every key's policy admits exactly the release that ReplicaSet {} runs ({}). Set the policies to it",
        set.name, set.release.measurement.image_sha384
    );
    Plan::block(STEP, Reason::UnexpectedChambers, message)
}

/// Nobody tells when a policy changes, so the keys are read once in a drift interval, and soon after a rollover.
fn look(world: &World) -> Option<Plan> {
    let due = world.oldest_reading().is_none_or(|read_at| {
        // A reading from the future was made before the clock was set back.
        world.now >= next_reading(world, read_at) || world.now < read_at
    });
    due.then_some(Plan::Look(Look::Keys))
}

/// When keys that were read at `read_at` are to be read again.
fn next_reading(world: &World, read_at: Timestamp) -> Timestamp {
    let regular = read_at.checked_add(world.spec.drift_interval).ok();
    let soon = world.record.ended_at.into_iter().flat_map(|ended_at| {
        AGAIN
            .into_iter()
            .filter_map(move |after| ended_at.checked_add(after).ok())
    });
    soon.filter(|at| *at > read_at)
        .chain(regular)
        .min()
        .unwrap_or(world.now)
}

/// Puts policies back that a foreign hand changed, or reports them. A key in trouble holds up itself alone.
fn drift(world: &World, set: &AdmittedSet) -> Option<Plan> {
    let plan = write_all(world, STEP, set)?;
    match (&plan, world.spec.drift_policy) {
        (
            Plan::Act {
                action: Action::WritePolicies(writes),
                ..
            },
            DriftPolicy::Report,
        ) => {
            let names: Vec<_> = writes.iter().map(|write| write.name.as_str()).collect();
            let message = format!(
                "the policy of key {} does not hold exactly the current release in the profile of spec.keys.policy, and driftPolicy there is Report: put it right, or set driftPolicy to Repair",
                names.join(", ")
            );
            Some(Plan::block(STEP, Reason::PolicyDrift, message))
        }
        _ => Some(plan),
    }
}

fn blob(world: &World, current: &Release) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&current.measurement.id()) {
        None => measure::lost(world, STEP),
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, Reason::BlobMismatch, why.clone())),
        Some(Blob::Sound { commitment }) => seal::commit(world, STEP, commitment),
    }
}

/// Status says that a release was verified, chambers of another one are there, and no key knows that it was retired:
/// whoever may write status alone must not end them.
fn unproven(world: &World, current: &Release) -> Option<Plan> {
    let mut others = world.sets.iter();
    let other = others.find(|set| set.release.revision != current.revision && set.runs())?;
    let retires = tags::recorded(&world.record);
    let mut ours = world
        .facts()
        .filter(|(share, facts)| share.managed && claim::is_ours(world, facts))
        .peekable();
    ours.peek()?;
    let stays = tags::retired_for(&current.measurement);
    let proves = |facts: &KeyFacts| {
        let of = facts.tags.get(tags::RETIRED_FOR);
        tags::progress_of(&facts.tags) == Some(retires) && of.is_none_or(|id| *id == stays)
    };
    // The keys' own word: they open for what runs, and not enough of them for what status calls verified.
    let opens = |release: &Release| keys::usable(world, &release.measurement);
    let contradicted = opens(&other.release) > 0 && opens(current) < world.spec.threshold;
    if ours.any(|(_, facts)| proves(facts)) && !contradicted {
        return None;
    }
    let message = format!(
        "status says that release {} was verified and the one before retired, but ReplicaSet {} of release {} has chambers and no key's tag {} says so: status was written by somebody else. Remove the resource's status, and scale the release that is not wanted to 0",
        current.revision,
        other.name,
        other.release.revision,
        tags::ROLLOVER
    );
    Some(Plan::block(STEP, Reason::StatusForged, message))
}

/// The current release has its chambers, and no other release has any.
fn sets(world: &World, current: &Release) -> Option<Plan> {
    // What status alone names is not started; and chambers that could not unseal are not, either.
    let opens = keys::usable(world, &current.measurement) >= world.spec.threshold;
    let Some(set) = world.set(&current.revision) else {
        let made = opens.then(|| roll::make(world, STEP, current))?;
        return matches!(made, Plan::Act { .. }).then_some(made);
    };
    let wanted = world.spec.replicas;
    // Chambers of a revoked release stay as they are, but none is added.
    let may_start = opens && !world.revoked(&current.measurement.image_sha384);
    let to = if may_start {
        wanted
    } else {
        wanted.min(set.replicas)
    };
    let resize = set.resized(to);
    let stops = set.unsealed().saturating_sub(resize.to);
    roll::clear(world, &[&current.revision], STEP).or_else(|| {
        (resize.from != resize.to).then(|| within_budget(world, STEP, vec![resize], stops))
    })
}

/// All is kept as it is, but it is not what the spec wants, or cannot last.
fn unresolved(world: &World, current: &Release) -> Option<Plan> {
    if world.set(&current.revision).is_none() {
        return Some(roll::make(world, STEP, current));
    }
    if let Some(failure) = world.failed() {
        let message = format!(
            "release {} failed: {}. The chambers run release {}. Change spec.release, or set the annotation chamber.dev/retry to a new value to try it again",
            failure.revision, failure.why, current.revision
        );
        return Some(Plan::block(STEP, Reason::ReleaseFailed, message));
    }
    if world.revoked(&current.measurement.image_sha384) {
        let message = format!(
            "release {} was revoked: its chambers stay sealed when they restart. Change spec.release to another release",
            current.revision
        );
        return Some(Plan::block(STEP, Reason::MeasurementRevoked, message));
    }
    measure::barred(world, current, STEP)
        .or_else(|| closed(world, current))
        .or_else(|| chambers::left_behind(world, STEP))
        .or_else(|| {
            let problem = world.objects.first()?;
            Some(Plan::block(STEP, problem.reason, problem.message.clone()))
        })
}

/// So many keys may refuse the current release that a chamber which restarts may stay sealed.
fn closed(world: &World, current: &Release) -> Option<Plan> {
    if keys::usable(world, &current.measurement) >= world.spec.threshold {
        return None;
    }
    let (reason, message) = keys::closed_to(world, current)?;
    Some(Plan::block(STEP, reason, message))
}

/// A holder who is asked to take a revoked image out is asked for more than the next release.
fn still_admitted(world: &World) -> Option<Plan> {
    let left = revoke::left(world);
    if left.is_empty() {
        return None;
    }
    let message = format!(
        "an image was revoked, and the policy of key {} still admits it: its holder is to take it out (`kubectl chamber plan {} --document <key>` prints the policy)",
        left.join(", "),
        world.spec.owner.name
    );
    Some(Plan::block(STEP, Reason::MeasurementRevoked, message))
}

fn rest(world: &World) -> Plan {
    let until = next_reading(world, world.oldest_reading().unwrap_or(world.now));
    let unsealed = world.unsealed();
    if unsealed < world.spec.replicas {
        let message = format!(
            "{unsealed} of {} chambers are unsealed",
            world.spec.replicas
        );
        return Plan::wait_until(STEP, Reason::ChambersNotReady, message, Some(until));
    }
    Plan::Settled { until }
}
