//! Step 3, Roll: the chambers are replaced, each batch waiting until it is unsealed before the next.

use crate::{Action, Chamber, Plan, Reason, Resize, Rollover, Set, Step, World};

const STEP: Step = Step::Roll;

/// What Roll still needs; `None` when every chamber runs the target and is unsealed.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if rollover.retire_begun_at.is_some() {
        return None;
    }
    let resizes = resizes(world, rollover);
    if !resizes.is_empty() {
        return Some(Plan::act(STEP, Action::Resize(resizes)));
    }
    waiting(world, rollover)
}

/// The next numbers of chambers, old and new together, within `maxUnavailable` and `maxSurge`.
fn resizes(world: &World, rollover: &Rollover) -> Vec<Resize> {
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
    let mut batch = match rollover.from {
        // Nothing serves yet, so nothing is lost by starting all of them.
        None => spec.replicas,
        Some(_) => {
            (spec.max_unavailable + spec.max_surge).saturating_sub(new_wanted - new_unsealed)
        }
    };

    let mut resizes = Vec::new();
    let stops = batch.min(may_stop(world, &old)).min(old_wanted);
    let mut left = stops;
    for set in old {
        let less = left.min(set.replicas);
        if less > 0 {
            resizes.push(resize(set, set.replicas - less));
            left -= less;
        }
    }
    let room = (spec.replicas + spec.max_surge).saturating_sub(old_wanted - stops + new_wanted);
    batch = batch
        .min(room)
        .min(spec.replicas.saturating_sub(new_wanted));
    if batch > 0 {
        resizes.push(Resize {
            release: rollover.to.clone(),
            from: new_wanted,
            to: new_wanted + batch,
        });
    }
    if let Some(set) = target.filter(|set| set.replicas > spec.replicas) {
        resizes.push(resize(set, spec.replicas));
    }
    resizes
}

fn resize(set: &Set, to: u32) -> Resize {
    Resize {
        release: set.release.clone(),
        from: set.replicas,
        to,
    }
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

/// Why the next batch cannot start yet.
fn waiting(world: &World, rollover: &Rollover) -> Option<Plan> {
    let target = world.set(&rollover.to.revision);
    let new: Vec<&Chamber> = target.map_or(Vec::new(), |set| {
        set.chambers
            .iter()
            .filter(|chamber| !chamber.terminating)
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
        return Some(Plan::wait(STEP, Reason::ChamberFailing, message));
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
        return Some(Plan::wait(STEP, Reason::ChamberSealed, message));
    }
    let leaving = world
        .chambers()
        .find(|chamber| chamber.revision != rollover.to.revision)?;
    let message = format!(
        "chamber {} of release {} is still terminating on node {}. If that node is lost, delete the Node object or force-delete the pod",
        leaving.name,
        leaving.revision,
        leaving.node.as_deref().unwrap_or("(none)")
    );
    Some(Plan::wait(STEP, Reason::ChamberTerminating, message))
}
