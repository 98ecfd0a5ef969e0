//! The target changed in the middle of a rollover.

use crate::desired::{approved, only_status_names};
use crate::{
    Action, Key, Look, Plan, Reading, Release, Rollover, Set, StatusObstacle, Step, Transition,
    World, manifest, measure, roll, seal,
};

const STEP: Step = Step::Measure;

/// Whether the rollover in flight still goes where the spec wants, and what follows if not.
///
/// - The spec names a release that failed: the way back goes on.
/// - Another one, while nothing of the target was started: it takes the target's place; but a return gets there first.
/// - Back to the release before: the same five steps towards it.
/// - A third one later: first back to the release before, so that no policy ever holds three
///   and a broken target is not waited for.
/// - After Retire has begun: the rollover ends first.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    let wanted = &world.spec.release;
    if let Some(failure) = &world.record.failure
        && failure.revision != wanted.revision
    {
        return Some(Plan::act(
            STEP,
            Action::Transition(Transition::FailureForgotten),
        ));
    }
    if *wanted == rollover.to {
        return None;
    }
    if let Some(plan) = manifest::taken(world, rollover) {
        return Some(plan);
    }
    // One release under another manifest than it was begun with: that is the manifest's fault, and no other target.
    if manifest::differs_by_manifest(&rollover.to, wanted) {
        return manifest::wanted(world, Step::of(rollover))
            .filter(|_| !world.no_way_back(rollover));
    }
    // Whether status alone names a release, the keys tell: turning back and forth on what was not read would have no end.
    if world.any_unread() {
        return Some(Plan::Look(Look::Keys));
    }
    let failed = |key: &Key<'_>| matches!(key.reading, Reading::Failed { .. });
    let unsure = world
        .keys()
        .any(|key| !key.share.accepted_at_risk && failed(&key));
    let named_by_status_alone = !unsure && only_status_names(world, &rollover.to);
    if world.failed().is_some() {
        return named_by_status_alone.then(|| not_the_target(world, rollover));
    }
    let revoked = world.revoked(&rollover.to.measurement.image_sha384);
    if world.no_way_back(rollover) {
        // The only way is forward; where the target was revoked, forward is what the spec names now.
        // The release before stays where it still is admitted, until that one has run.
        let stays = rollover.from.as_ref().unwrap_or(&rollover.to);
        return revoked.then(|| measure::next(world, Some(stays)));
    }
    let Some(from) = &rollover.from else {
        return Some(instead_of_the_first(world, rollover));
    };
    let is_known = unsure || !only_status_names(world, from);
    let way_back = is_known && !world.revoked(&from.measurement.image_sha384);
    let started = world.set(&rollover.to.revision).is_some_and(Set::runs);
    let current = world.record.current.as_ref();
    // No release replaces itself: somebody else wrote status, and turning back would go on for ever.
    if from == &rollover.to {
        return Some(measure::next(world, current.or(Some(from))));
    }
    // What a rollover comes from was verified, but for a return: there the release that ran last is what it goes to.
    let from_current = current.is_none_or(|current| current.revision == from.revision);
    match current {
        _ if !started && from_current => Some(measure::next(world, Some(from))),
        _ if from.revision == wanted.revision && way_back => {
            Some(Plan::act(STEP, Action::Transition(Transition::TurnedBack)))
        }
        None => Some(nothing_ever_ran(world, rollover, from)),
        // On its way back already: it gets there first.
        Some(current) if current.revision == rollover.to.revision => {
            named_by_status_alone.then(|| not_the_target(world, rollover))
        }
        // The chambers of the target are what is left to start from.
        Some(_) if !way_back => Some(measure::next(world, Some(&rollover.to))),
        Some(_) => Some(Plan::act(STEP, Action::Transition(Transition::TurnedBack))),
    }
}

/// Neither the spec nor a `ReplicaSet` knows the target: status was written by somebody else.
fn not_the_target(world: &World, rollover: &Rollover) -> Plan {
    let from = rollover.from.as_ref();
    if from.is_some_and(|from| approved(world, &from.measurement)) {
        return Plan::act(STEP, Action::Transition(Transition::TurnedBack));
    }
    let unknown = StatusObstacle::UnknownTarget(rollover.to.revision.clone());
    Plan::block(STEP, unknown)
}

/// No release was ever verified, so none is waited for: the third one starts from the one that serves more,
/// and the other one is cleared away. Two that never ran well would else take turns for ever.
fn nothing_ever_ran(world: &World, rollover: &Rollover, from: &Release) -> Plan {
    let serving = |release: &Release| world.set(&release.revision).map_or(0, Set::unsealed);
    let stays = if serving(from) > serving(&rollover.to) {
        from
    } else {
        &rollover.to
    };
    roll::clear(world, &[&stays.revision], STEP)
        .unwrap_or_else(|| measure::next(world, Some(stays)))
}

/// The first release never ran well, but chambers or a blob of it may be there.
fn instead_of_the_first(world: &World, rollover: &Rollover) -> Plan {
    let to = &rollover.to;
    // The pod that made it is all that proves a stored blob which nothing is committed to, and it goes with its release.
    if let Some(commits) = seal::proven_by_its_pod(world, to) {
        return commits;
    }
    let left =
        world.set(&to.revision).is_some_and(Set::runs) || world.blobs.contains_key(&to.blob_id());
    measure::next(world, left.then_some(to))
}
