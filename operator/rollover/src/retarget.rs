//! The target changed in the middle of a rollover.

use crate::{Action, Note, Plan, Rollover, Set, Step, World, measure, roll};

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
        return Some(Plan::act(STEP, Action::Note(Note::FailureForgotten)));
    }
    if wanted.revision == rollover.to.revision || rollover.retires() || world.failed().is_some() {
        return None;
    }
    let Some(from) = &rollover.from else {
        return Some(instead_of_the_first(world, rollover));
    };
    let way_back = !world.revoked(&from.measurement.image_sha384);
    let started = world.set(&rollover.to.revision).is_some_and(Set::runs);
    let current = world.record.current.as_ref();
    // What a rollover comes from was verified, but for a return: there the release that ran last is what it goes to.
    let from_current = current.is_none_or(|current| current.revision == from.revision);
    match current {
        _ if !started && from_current => Some(measure::next(world, Some(from))),
        _ if from.revision == wanted.revision && way_back => {
            Some(Plan::act(STEP, Action::Note(Note::TurnedBack)))
        }
        None => nothing_ever_ran(world, rollover),
        // On its way back already: it gets there first.
        Some(current) if current.revision == rollover.to.revision => None,
        // The chambers of the target are what is left to start from.
        Some(_) if !way_back => Some(measure::next(world, Some(&rollover.to))),
        Some(_) => Some(Plan::act(STEP, Action::Note(Note::TurnedBack))),
    }
}

/// No release was ever verified. While none serves, the older one is cleared away and the target
/// is what the third one starts from; otherwise the rollover in flight is to end first.
fn nothing_ever_ran(world: &World, rollover: &Rollover) -> Option<Plan> {
    if world.unsealed() > 0 {
        return None;
    }
    roll::clear(world, &[&rollover.to.revision], STEP)
        .or_else(|| Some(measure::next(world, Some(&rollover.to))))
}

/// The first release never ran well, but chambers or a blob of it may be there.
fn instead_of_the_first(world: &World, rollover: &Rollover) -> Plan {
    let to = &rollover.to;
    let left = world.set(&to.revision).is_some_and(Set::runs)
        || world.blobs.contains_key(&to.measurement.id());
    measure::next(world, left.then_some(to))
}
