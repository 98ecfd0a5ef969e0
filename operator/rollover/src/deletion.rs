//! The resource is being deleted: policies are left with one measurement, or it is said why not.

use measurement::Measurement;

use crate::admit::{key_write, sound};
use crate::roll::order;
use crate::{
    Action, Deletion, Key, KeyWrite, Look, Plan, Reading, Reason, Release, Rollover, Set, Share,
    Step, World, keys,
};

const STEP: Step = Step::Retire;

/// What deletion still needs; `None` when the resource is not being deleted.
pub fn next(world: &World) -> Option<Plan> {
    let deletion = world.spec.deletion?;
    Some(match (&world.record.rollover, world.finalizer) {
        (_, false) => Plan::wait(STEP, Reason::Deleting, "the resource is being deleted"),
        (None, true) => allow(None),
        (Some(rollover), true) => leave(world, rollover, deletion),
    })
}

/// The chambers go first, then one measurement stays: that of the release that can be returned to.
fn leave(world: &World, rollover: &Rollover, deletion: Deletion) -> Plan {
    let left: Vec<&Set> = world.sets.iter().filter(|set| set.runs()).collect();
    let stays: &Release = match (&left[..], &rollover.from, rollover.retires()) {
        ([only], _, _) if deletion.orphans => &only.release,
        ([_, ..], _, _) if deletion.orphans => {
            return allow(Some(
                "chambers of two releases stay, so every policy still admits both measurements"
                    .to_owned(),
            ));
        }
        ([_, ..], _, _) => return stop(world, &left),
        ([], Some(from), false) if !world.revoked(&from.measurement.image_sha384) => from,
        _ => &rollover.to,
    };
    one_measurement(world, stays)
}

/// Scales to nothing and waits until no chamber is left; it is deleted with the resource anyway.
fn stop(world: &World, left: &[&Set]) -> Plan {
    let resizes: Vec<_> = left
        .iter()
        .filter(|set| set.replicas > 0)
        .map(|set| set.resized(0))
        .collect();
    if !resizes.is_empty() {
        return order(world, STEP, resizes);
    }
    let mut overdue = world.chambers().filter(|chamber| {
        chamber
            .gone_by
            .is_some_and(|by| world.now.duration_since(by) > world.spec.progress_deadline)
    });
    match overdue.next() {
        Some(chamber) => allow(Some(format!(
            "chamber {} on node {} does not end, so every policy still admits both measurements",
            chamber.name,
            chamber.node.as_deref().unwrap_or("(none)")
        ))),
        None => Plan::wait(STEP, Reason::Deleting, "waiting for the chambers to end"),
    }
}

fn one_measurement(world: &World, stays: &Release) -> Plan {
    if world.any_unread() {
        return Plan::Look(Look::Keys);
    }
    let live = world.trusted(vec![stays.measurement.clone()]);
    let mut writes = Vec::new();
    let mut undone = Vec::new();
    for Key { share, reading } in world.keys() {
        match left_in(share, reading, &live) {
            Ok(write) => writes.extend(write),
            Err(why) => undone.push(why),
        }
    }
    if let Some(Plan::Block { message, .. }) = sound(world, STEP, &writes) {
        return allow(Some(message));
    }
    if writes.is_empty() {
        return allow((!undone.is_empty()).then(|| undone.join("; ")));
    }
    Plan::act(STEP, Action::WritePolicies(writes))
}

/// What is still to be written to a key, or why it cannot be the operator's doing.
fn left_in(
    share: &Share,
    reading: &Reading,
    live: &[Measurement],
) -> Result<Option<KeyWrite>, String> {
    let facts = match reading {
        Reading::Unread => return Ok(None),
        Reading::Failed { message, .. } => return Err(message.clone()),
        Reading::Facts(facts) => facts,
    };
    if let Err(why) = &facts.policy {
        let name = &share.name;
        return Err(format!("the policy of key {name} is no document: {why}"));
    }
    if share.managed {
        return key_write(share, facts, |_| live.to_vec());
    }
    if keys::admits_exactly(share, facts, live) {
        return Ok(None);
    }
    let images: Vec<_> = live.iter().map(|m| m.image_sha384.to_string()).collect();
    let only = match images.as_slice() {
        [] => "no measurement".to_owned(),
        images => format!("only {}", images.join(", ")),
    };
    Err(format!(
        "key {} is Observed: ask its holder to leave {only} in its policy",
        share.name
    ))
}

fn allow(undone: Option<String>) -> Plan {
    Plan::act(STEP, Action::AllowDeletion(undone))
}
