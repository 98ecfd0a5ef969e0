//! Step 5, Retire: every key's policy holds only the new measurement, and the old release is gone.

use crate::admit::{Extent, ask, projections};
use crate::{Action, Note, Plan, Reason, Rollover, Step, World};

const STEP: Step = Step::Retire;

/// What Retire still needs; at its end the rollover is over.
pub fn next(world: &World, rollover: &Rollover) -> Plan {
    let live = [rollover.to.measurement.clone()];
    let writes = match projections(world, &live) {
        Ok(writes) => writes,
        Err(message) => return Plan::block(STEP, Reason::PolicyUnsound, message),
    };
    if !writes.is_empty() {
        return match rollover.retire_begun_at {
            // Written before the first policy loses the old measurement: the way back ends here.
            None => Plan::act(STEP, Action::Note(Note::RetireBegun)),
            Some(_) => Plan::act(STEP, Action::WritePolicies(writes)),
        };
    }
    if let Some(wait) = ask(world, STEP, &live, Extent::Exactly) {
        return wait;
    }
    let old: Vec<_> = world
        .sets
        .iter()
        .filter(|set| set.release.revision != rollover.to.revision && set.replicas == 0)
        .map(|set| set.name.clone())
        .collect();
    if !old.is_empty() {
        return Plan::act(STEP, Action::RemoveSets(old));
    }
    Plan::act(STEP, Action::Note(Note::Finished))
}
