//! Step 3, Roll: the chambers are replaced, each batch waiting until it is unsealed before the next.

use jiff::SignedDuration;

use crate::{Action, Chamber, Look, Plan, Reason, Resize, Rollover, Set, Step, World};

const STEP: Step = Step::Roll;
/// A pod that is still there this long after it should be gone is on a lost node.
const LOST: SignedDuration = SignedDuration::from_mins(1);

/// What Roll still needs; `None` when every chamber runs the target and is unsealed.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if rollover.retire_begun_at.is_some() {
        return None;
    }
    let (resizes, stops) = resizes(world, rollover);
    if resizes.is_empty() {
        return unfinished(world, rollover, STEP);
    }
    Some(within_budget(world, STEP, resizes, stops))
}

/// Resizes, where the disruption budgets allow that so many unsealed chambers stop.
pub fn within_budget(world: &World, step: Step, resizes: Vec<Resize>, stops: u32) -> Plan {
    match world.budget {
        _ if stops == 0 => Plan::act(step, Action::Resize(resizes)),
        None => Plan::Look(Look::Budget),
        Some(allowed) if stops <= allowed => Plan::act(step, Action::Resize(resizes)),
        Some(allowed) => {
            let message = format!(
                "{stops} unsealed chambers would be stopped, and the disruption budgets over them allow {allowed} now"
            );
            Plan::wait(step, Reason::DisruptionBudget, message)
        }
    }
}

/// The next numbers of chambers, old and new together, within `maxUnavailable` and `maxSurge`;
/// and how many unsealed chambers they stop.
fn resizes(world: &World, rollover: &Rollover) -> (Vec<Resize>, u32) {
    let spec = &world.spec;
    let target = world.set(&rollover.to.revision);
    let (new_wanted, new_unsealed) = target.map_or((0, 0), |set| {
        (set.replicas, set.unsealed().min(set.replicas))
    });
    let old: Vec<&Set> = world
        .sets
        .iter()
        .filter(|set| set.release.revision != rollover.to.revision && set.replicas > 0)
        .collect();
    let old_wanted: u32 = old.iter().map(|set| set.replicas).sum();
    let batch = match rollover.from {
        // Nothing serves yet, so nothing is lost by starting all of them.
        None => spec.replicas,
        Some(_) => {
            (spec.max_unavailable + spec.max_surge).saturating_sub(new_wanted - new_unsealed)
        }
    };

    let mut resizes = Vec::new();
    let stops = batch.min(may_stop(world, &old)).min(old_wanted);
    let (mut left, mut unsealed_stops) = (stops, 0);
    for set in old {
        let less = left.min(set.replicas);
        if less > 0 {
            resizes.push(set.resized(set.replicas - less));
            unsealed_stops += set.unsealed().saturating_sub(set.replicas - less);
            left -= less;
        }
    }
    resizes.extend(start(
        world,
        rollover,
        batch,
        old_wanted - stops + new_wanted,
    ));
    if let Some(set) = target.filter(|set| set.replicas > spec.replicas) {
        resizes.push(set.resized(spec.replicas));
        unsealed_stops += set.unsealed().saturating_sub(spec.replicas);
    }
    (resizes, unsealed_stops)
}

/// More chambers of the target, as far as there is room beside those that stay.
fn start(world: &World, rollover: &Rollover, batch: u32, staying: u32) -> Option<Resize> {
    let spec = &world.spec;
    let target = world.set(&rollover.to.revision);
    let wanted = target.map_or(0, |set| set.replicas);
    let room = (spec.replicas + spec.max_surge).saturating_sub(staying);
    let more = batch.min(room).min(spec.replicas.saturating_sub(wanted));
    (more > 0).then(|| match target {
        Some(set) => set.resized(wanted + more),
        None => Resize {
            release: rollover.to.clone(),
            version: None,
            from: 0,
            to: more,
        },
    })
}

/// Old chambers that may go: sealed ones always, unsealed ones while enough others stay unsealed.
fn may_stop(world: &World, old: &[&Set]) -> u32 {
    let spare = world.unsealed().saturating_sub(
        world
            .spec
            .replicas
            .saturating_sub(world.spec.max_unavailable),
    );
    let sealed: u32 = old
        .iter()
        .map(|set| set.replicas.saturating_sub(set.unsealed()))
        .sum();
    // A ReplicaSet removes its unready pods first, so the sealed ones are what goes.
    sealed + spare
}

/// Why not every chamber runs the target unsealed, with none of another release left; `None` when that is so.
pub fn unfinished(world: &World, rollover: &Rollover, step: Step) -> Option<Plan> {
    let target = world.set(&rollover.to.revision);
    let new: Vec<&Chamber> = target.map_or(Vec::new(), |set| {
        set.chambers
            .iter()
            .filter(|chamber| !chamber.terminating())
            .collect()
    });
    if let Some((chamber, why)) = new
        .iter()
        .find_map(|c| c.failing.as_ref().map(|why| (c, why)))
    {
        let message = format!(
            "chamber {} of release {} cannot start: {why}",
            chamber.name, rollover.to.revision
        );
        return Some(Plan::wait(step, Reason::ChamberFailing, message));
    }
    let unsealed = target.map_or(0, Set::unsealed);
    if unsealed < world.spec.replicas {
        let sealed: Vec<_> = new
            .iter()
            .filter(|c| !c.serves())
            .map(|c| c.name.as_str())
            .collect();
        let message = format!(
            "{unsealed} of {} chambers run release {} unsealed; waiting for {}",
            world.spec.replicas,
            rollover.to.revision,
            if sealed.is_empty() {
                "the next pod".to_owned()
            } else {
                sealed.join(", ")
            }
        );
        return Some(Plan::wait(step, Reason::ChamberSealed, message));
    }
    let leaving = world
        .chambers()
        .find(|chamber| chamber.revision != rollover.to.revision)?;
    Some(leaves(world, leaving, step))
}

/// A chamber of another release is still there; nothing tells when a node is lost for good.
fn leaves(world: &World, chamber: &Chamber, step: Step) -> Plan {
    let node = chamber.node.as_deref().unwrap_or("(none)");
    let lost_at = chamber.gone_by.and_then(|by| by.checked_add(LOST).ok());
    if lost_at.is_some_and(|at| world.now >= at) {
        let message = format!(
            "chamber {} of release {} should be gone since {}: node {node} seems lost. When it is certain that the node is off, delete its Node object or force-delete the pod; until then the old measurement stays admitted",
            chamber.name,
            chamber.revision,
            chamber
                .gone_by
                .map_or_else(String::new, |by| format!("{by:.0}"))
        );
        return Plan::block(step, Reason::NodeLost, message);
    }
    let message = format!(
        "chamber {} of release {} is still ending on node {node}",
        chamber.name, chamber.revision
    );
    Plan::wait_until(step, Reason::ChamberTerminating, message, lost_at)
}
