//! No rollover in flight: begin one, repair drift, or rest.

use jiff::{SignedDuration, Timestamp};

use crate::admit::{Extent, ask, write_all};
use crate::roll::within_budget;
use crate::{
    Action, AdmittedSet, Blob, BlobObstacle, Chamber, ChamberObstacle, DriftPolicy, KeyFacts,
    KeyObstacle, Look, Obstacle, Plan, Release, ReleaseObstacle, StatusObstacle, Step, Transition,
    World, attested, chambers, claim, keys, manifest, measure, ownership, revoke, roll, seal, tags,
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
            _ => Plan::block(STEP, ChamberObstacle::Several),
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
    let not_admitted = ChamberObstacle::NotAdmitted {
        set: set.name.clone(),
        image: set.release.measurement.image_sha384.to_string(),
    };
    Plan::block(STEP, not_admitted)
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
            let names = writes.iter().map(|write| write.name.clone()).collect();
            Some(Plan::block(STEP, KeyObstacle::Drift(names)))
        }
        _ => Some(plan),
    }
}

fn blob(world: &World, current: &Release) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&current.blob_id()) {
        None => measure::lost(world, STEP),
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, BlobObstacle::Unsound(why.clone()))),
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
    let unproven = StatusObstacle::Unproven {
        current: current.revision.clone(),
        set: other.name.clone(),
        revision: other.release.revision.clone(),
    };
    Some(Plan::block(STEP, unproven))
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
        let failed = ReleaseObstacle::Failed(failure.clone(), current.revision.clone());
        return Some(Plan::block(STEP, failed));
    }
    if world.revoked(&current.measurement.image_sha384) {
        let revoked = ReleaseObstacle::RevokedCurrent(current.revision.clone());
        return Some(Plan::block(STEP, revoked));
    }
    measure::barred(world, current, STEP)
        .or_else(|| closed(world, current))
        .or_else(|| chambers::left_behind(world, STEP))
        .or_else(|| {
            let problem = world.objects.first()?;
            let told = Obstacle::reported(problem.reason, &problem.message);
            Some(Plan::block(STEP, told))
        })
}

/// So many keys may refuse the current release that a chamber which restarts may stay sealed.
fn closed(world: &World, current: &Release) -> Option<Plan> {
    if keys::usable(world, &current.measurement) >= world.spec.threshold {
        return None;
    }
    Some(Plan::block(STEP, keys::closed_to(world, current)?))
}

/// A holder who is asked to take a revoked image out is asked for more than the next release.
fn still_admitted(world: &World) -> Option<Plan> {
    let left = revoke::left(world);
    if left.is_empty() {
        return None;
    }
    let left = left.into_iter().map(str::to_owned).collect();
    let cluster = world.spec.owner.name.clone();
    Some(Plan::block(
        STEP,
        ReleaseObstacle::StillAdmitted(left, cluster),
    ))
}

fn rest(world: &World) -> Plan {
    let until = next_reading(world, world.oldest_reading().unwrap_or(world.now));
    let unsealed = world.unsealed();
    if unsealed < world.spec.replicas {
        let wanted = world.spec.replicas;
        let mut sealed = world.chambers().filter(|chamber| !chamber.serves());
        let not_ready = ChamberObstacle::NotReady {
            unsealed,
            wanted,
            says: sealed.find_map(Chamber::words),
        };
        return Plan::wait_until(STEP, not_ready, Some(until));
    }
    Plan::Settled { until }
}
