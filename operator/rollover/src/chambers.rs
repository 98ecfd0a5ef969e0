//! What keeps chambers from running the target, or from ending: why Roll, Verify and Retire wait for them.

use jiff::SignedDuration;

use crate::{Chamber, Failing, Plan, Reason, Rollover, Set, Step, World};

/// A pod that is still there this long after it should be gone is on a lost node.
pub const LOST: SignedDuration = SignedDuration::from_mins(1);

/// Why not every chamber runs the target unsealed, with none of another release left; `None` when that is so.
pub fn unfinished(world: &World, rollover: &Rollover, step: Step) -> Option<Plan> {
    let target = world.set(&rollover.to.revision);
    let new: Vec<&Chamber> = target.map_or(Vec::new(), |set| {
        set.chambers
            .iter()
            .filter(|chamber| !chamber.terminating())
            .collect()
    });
    if let Some(plan) = cannot_start(world, &new, step) {
        return Some(plan);
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
        .find(|chamber| chamber.revision != rollover.to.revision || chamber.terminating());
    leaving
        .map(|chamber| leaves(world, chamber, step))
        .or_else(|| left_behind(world, step))
}

/// What Kubernetes says of chambers that do not start.
fn cannot_start(world: &World, chambers: &[&Chamber], step: Step) -> Option<Plan> {
    let failing = |wanted: fn(&Failing) -> Option<&String>| {
        chambers
            .iter()
            .find_map(|chamber| Some((chamber, wanted(chamber.failing.as_ref()?)?)))
    };
    if let Some((chamber, why)) = failing(|failing| match failing {
        Failing::Release(why) => Some(why),
        Failing::Unschedulable(_) => None,
    }) {
        let message = format!(
            "chamber {} of release {} cannot start: {why}",
            chamber.name, chamber.revision
        );
        return Some(Plan::wait(step, Reason::ChamberFailing, message));
    }
    // A chamber that is ending gives its room back by itself.
    if world
        .chambers()
        .any(|chamber| chamber.terminating() && !is_lost(world, chamber))
    {
        return None;
    }
    let (chamber, why) = failing(|failing| match failing {
        Failing::Unschedulable(why) => Some(why),
        Failing::Release(_) => None,
    })?;
    let message = format!(
        "no node has room for chamber {} of release {}: {why}. Add nodes or room (enclave slots, huge pages, CPU); it goes on by itself, and the release is not blamed",
        chamber.name, chamber.revision
    );
    Some(Plan::wait(step, Reason::ChamberUnschedulable, message))
}

/// Chambers that stay where they should not, of whichever release: on a lost node, or without a `ReplicaSet`.
pub fn left_behind(world: &World, step: Step) -> Option<Plan> {
    let lost = world.chambers().find(|chamber| is_lost(world, chamber));
    let orphan = || world.orphans.iter().find(|chamber| !chamber.terminating());
    lost.or_else(orphan)
        .map(|chamber| leaves(world, chamber, step))
}

/// It should be gone since long.
fn is_lost(world: &World, chamber: &Chamber) -> bool {
    let lost_at = chamber.gone_by.and_then(|by| by.checked_add(LOST).ok());
    lost_at.is_some_and(|at| world.now >= at)
}

/// A chamber is still there that should not be; nothing tells when a node is lost for good.
pub fn leaves(world: &World, chamber: &Chamber, step: Step) -> Plan {
    let node = chamber.node.as_deref().unwrap_or("(none)");
    if !chamber.terminating() && world.orphans.contains(chamber) {
        let message = format!(
            "chamber {} of release {} on node {node} has no ReplicaSet of this cluster: nothing ends it, and nothing makes it again. Delete the pod",
            chamber.name, chamber.revision
        );
        return Plan::block(step, Reason::UnexpectedChambers, message);
    }
    let lost_at = chamber.gone_by.and_then(|by| by.checked_add(LOST).ok());
    if is_lost(world, chamber) {
        let message = format!(
            "chamber {} of release {} should be gone since {}: node {node} seems lost. When it is certain that the node is off, delete its Node object or force-delete the pod; until then what it runs stays admitted",
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
