//! What keeps chambers from running the target, or from ending: why Roll, Verify and Retire wait for them.

use jiff::SignedDuration;

use crate::{Chamber, ChamberObstacle, Failing, Plan, Rollover, Set, Step, World, manifest};

/// A pod that is still there this long after it should be gone is on a lost node: longer than the 50 s after which
/// Kubernetes calls a silent node not ready, and so than a kubelet that still answers takes.
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
        let mut sealed = new.iter().filter(|c| !c.serves());
        if let Some(plan) = manifest::unlisted(world, rollover, sealed.clone(), step) {
            return Some(plan);
        }
        let names = sealed.clone().map(|c| c.name.clone()).collect();
        let sealed = ChamberObstacle::Sealed {
            unsealed,
            wanted: world.spec.replicas,
            revision: rollover.to.revision.clone(),
            says: sealed.find_map(|chamber| chamber.words()),
            sealed: names,
        };
        return Some(Plan::wait(step, sealed));
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
        let failing = ChamberObstacle::Failing((*chamber).into(), why.clone());
        return Some(Plan::wait(step, failing));
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
    let full = ChamberObstacle::Unschedulable((*chamber).into(), why.clone());
    Some(Plan::wait(step, full))
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
    if !chamber.terminating() && world.orphans.contains(chamber) {
        return Plan::block(step, ChamberObstacle::Orphan(chamber.into()));
    }
    let lost_at = chamber.gone_by.and_then(|by| by.checked_add(LOST).ok());
    if is_lost(world, chamber) {
        let lost = ChamberObstacle::NodeLost(chamber.into(), chamber.gone_by);
        return Plan::block(step, lost);
    }
    Plan::wait_until(step, ChamberObstacle::Terminating(chamber.into()), lost_at)
}
