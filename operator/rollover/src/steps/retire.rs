//! Step 5, Retire: every key's policy holds only the new measurement, and the old release is gone.

use crate::admit::{Extent, ask, write_all};
use crate::{
    Action, AdmittedSet, Plan, Rollover, Step, Transition, World, chambers, keys, ownership, roll,
};

const STEP: Step = Step::Retire;

/// What Retire still needs; at its end the rollover is over.
pub fn next(world: &World, rollover: &Rollover) -> Plan {
    let set = AdmittedSet::only(world, &rollover.to.measurement);
    let left = write_all(world, STEP, &set).or_else(|| ask(world, STEP, &set, Extent::Exactly));
    match left {
        // Status alone can be forged: who finds no proof begins Retire, under the same laws as the first time.
        Some(stopped) if !world.retires(rollover) => begin(stopped),
        Some(left) => before_policies(world, rollover).unwrap_or(left),
        None => roll::clear(world, &[&rollover.to.revision], STEP)
            .or_else(|| unbegun(rollover))
            .or_else(|| ownership::left(world, STEP, rollover))
            .unwrap_or_else(|| Plan::act(STEP, Action::Transition(Transition::Finished))),
    }
}

/// The policies lost the release before already, because it was revoked: that the way back has ended is written down all the same.
fn unbegun(rollover: &Rollover) -> Option<Plan> {
    let begins = Action::Transition(Transition::RetireBegun);
    (rollover.leaves_another() && !rollover.retires()).then(|| Plan::act(STEP, begins))
}

/// What comes before a policy loses the old measurement: the target alone runs, and the keys say so.
fn before_policies(world: &World, rollover: &Rollover) -> Option<Plan> {
    roll::keep_size(world, rollover, STEP)
        .or_else(|| roll::clear(world, &[&rollover.to.revision], STEP))
        .or_else(|| ownership::retire(world, STEP, rollover))
        .or_else(|| chambers::unfinished(world, rollover, STEP))
}

/// What goes on although a key is unwell: once the way back has ended the target keeps its chambers, and the old
/// measurement leaves the other keys.
pub fn beside(world: &World, rollover: &Rollover) -> Option<Plan> {
    let opens = keys::usable(world, &rollover.to.measurement) >= world.spec.threshold;
    if !opens || !world.retires(rollover) {
        return None;
    }
    let set = AdmittedSet::only(world, &rollover.to.measurement);
    before_policies(world, rollover)
        .or_else(|| write_all(world, STEP, &set))
        .filter(|plan| matches!(plan, Plan::Act { .. }))
}

/// That the way back ends here is in status and on the keys before the first policy loses the old measurement,
/// and before a holder is asked to take it out.
fn begin(stopped: Plan) -> Plan {
    match stopped {
        Plan::Act { .. } | Plan::Wait { .. } => {
            Plan::act(STEP, Action::Transition(Transition::RetireBegun))
        }
        stopped => stopped,
    }
}
