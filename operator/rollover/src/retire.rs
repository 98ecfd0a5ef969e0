//! Step 5, Retire: every key's policy holds only the new measurement, and the old release is gone.

use crate::admit::{Extent, ask, claim, write_all};
use crate::{Action, Live, Note, Plan, Rollover, Step, World, roll};

const STEP: Step = Step::Retire;

/// What Retire still needs; at its end the rollover is over.
pub fn next(world: &World, rollover: &Rollover) -> Plan {
    let live = Live::only(world, &rollover.to.measurement);
    write(world, rollover, &live)
        .or_else(|| ask(world, STEP, &live, Extent::Exactly))
        .or_else(|| roll::clear(world, &[&rollover.to.revision], STEP))
        .unwrap_or_else(|| Plan::act(STEP, Action::Note(Note::Finished)))
}

/// That the way back ends here is in status and on the keys before the first policy loses the old measurement.
fn write(world: &World, rollover: &Rollover, live: &Live) -> Option<Plan> {
    let plan = write_all(world, STEP, live)?;
    if !matches!(plan, Plan::Act { .. }) {
        return Some(plan);
    }
    if !rollover.retires() {
        return Some(Plan::act(STEP, Action::Note(Note::RetireBegun)));
    }
    roll::clear(world, &[&rollover.to.revision], STEP)
        .or_else(|| claim(world, STEP, (world.record.rollovers, true)))
        .or_else(|| roll::unfinished(world, rollover, STEP))
        .or(Some(plan))
}
