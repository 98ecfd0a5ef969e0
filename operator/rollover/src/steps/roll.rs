//! Step 3, Roll: the chambers are replaced, each batch waiting until it is unsealed before the next.

use crate::{
    Action, ChamberObstacle, Fence, Look, Object, Obstacle, Plan, Release, Resize, Rollover, Set,
    Step, World, chambers, keys, manifest, seal,
};

const STEP: Step = Step::Roll;

/// What Roll still needs; `None` when every chamber runs the target and is unsealed.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if world.retires(rollover) {
        return None;
    }
    let Some(target) = world.set(&rollover.to.revision) else {
        return Some(make(world, STEP, &rollover.to));
    };
    let (resizes, stops) = resizes(world, rollover, target);
    if resizes.is_empty() {
        return chambers::unfinished(world, rollover, STEP);
    }
    Some(within_budget(world, STEP, resizes, stops))
}

/// The target's set is there and has no fewer chambers than the spec wants, whatever else is waited for.
pub fn keep_size(world: &World, rollover: &Rollover, step: Step) -> Option<Plan> {
    let Some(target) = world.set(&rollover.to.revision) else {
        return Some(make(world, step, &rollover.to));
    };
    let resize = target.resized(world.spec.replicas);
    if resize.from >= resize.to || world.revoked(&rollover.to.measurement.image_sha384) {
        return None;
    }
    Some(order(world, step, vec![resize]))
}

/// Makes the `ReplicaSet` of a release from what the release was made of: the spec while it names that release, and
/// afterwards what was kept of its first `ReplicaSet`.
pub fn make(world: &World, step: Step, release: &Release) -> Plan {
    let name = &release.revision;
    let in_the_way = world.objects.iter().find(
        |problem| matches!(&problem.object, Object::ReplicaSet { revision } if revision == name),
    );
    if let Some(problem) = in_the_way {
        return Plan::block(step, Obstacle::reported(problem.reason, &problem.message));
    }
    let named = world.spec.release.revision == *name;
    if !named && !world.templates.contains(name) {
        let lost = ChamberObstacle::TemplateLost {
            release: release.clone().into(),
            named: world.spec.release.revision.clone(),
        };
        return Plan::block(step, lost);
    }
    if named
        && world.spec.release != *release
        && let Some(plan) = manifest::wanted(world, step)
    {
        return plan;
    }
    Plan::act(step, Action::MakeSet(release.clone()))
}

/// Resizes, once older orders are void, and where the disruption budgets allow that so many unsealed chambers stop.
pub fn within_budget(world: &World, step: Step, resizes: Vec<Resize>, stops: u32) -> Plan {
    match world.budget {
        _ if stops == 0 => order(world, step, resizes),
        None => Plan::Look(Look::Budget),
        Some(allowed) if stops <= allowed => order(world, step, resizes),
        Some(allowed) => Plan::wait(step, ChamberObstacle::Budget { stops, allowed }),
    }
}

/// A release that a Deny may keep sealed is not started: what was true in Measure may have changed since.
fn closed(world: &World, step: Step, release: &Release) -> Option<Plan> {
    world.record.rollover.as_ref()?;
    let found = keys::closed_to(world, release)?;
    Some(Plan::block(step, found))
}

/// A late order of an older leader for one set could meet an order of ours for another: theirs are made void first.
pub fn order(world: &World, step: Step, resizes: Vec<Resize>) -> Plan {
    let starts = resizes.iter().filter(|resize| resize.to > resize.from);
    let mut starts = starts.map(|start| &start.release);
    let stopped = starts.find_map(|release| {
        closed(world, step, release).or_else(|| seal::unsound(world, step, release))
    });
    if let Some(plan) = stopped {
        return plan;
    }
    let open: Vec<_> = world
        .sets
        .iter()
        .filter(|set| !set.fenced)
        .map(|set| Fence {
            name: set.name.clone(),
            version: set.version.clone(),
        })
        .collect();
    if open.is_empty() {
        Plan::act(step, Action::Resize(resizes))
    } else {
        Plan::act(step, Action::Fence(open))
    }
}

/// The next numbers of chambers, old and new together, within `maxUnavailable` and `maxSurge`;
/// and how many unsealed chambers they stop.
fn resizes(world: &World, rollover: &Rollover, target: &Set) -> (Vec<Resize>, u32) {
    let spec = &world.spec;
    let new_wanted = target.replicas;
    let new_unsealed = target.unsealed().min(new_wanted);
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

    let (mut resizes, unsealed_stops) = stop(world, &old, batch);
    let stops: u32 = resizes.iter().map(|resize| resize.from - resize.to).sum();
    let mut unsealed_stops = unsealed_stops;
    let staying = old_wanted - stops + new_wanted;
    resizes.extend(start(world, target, batch, staying));
    if target.replicas > spec.replicas {
        resizes.push(target.resized(spec.replicas));
        unsealed_stops += target.unsealed().saturating_sub(spec.replicas);
    }
    (resizes, unsealed_stops)
}

/// More chambers of the target, as far as there is room beside those that stay.
fn start(world: &World, target: &Set, batch: u32, staying: u32) -> Option<Resize> {
    let spec = &world.spec;
    let wanted = target.replicas;
    let room = (spec.replicas + spec.max_surge).saturating_sub(staying);
    let more = batch.min(room).min(spec.replicas.saturating_sub(wanted));
    (more > 0).then(|| target.resized(wanted + more))
}

/// Fewer old chambers, so many at most, and how many of them are unsealed: sealed ones may always go,
/// unsealed ones while enough others stay. A `ReplicaSet` removes its unready pods first.
fn stop(world: &World, old: &[&Set], most: u32) -> (Vec<Resize>, u32) {
    let floor = world
        .spec
        .replicas
        .saturating_sub(world.spec.max_unavailable);
    let spare = world.unsealed().saturating_sub(floor);
    let mut left = most;
    let sealed: Vec<u32> = old
        .iter()
        .map(|set| take(&mut left, set.replicas.saturating_sub(set.unsealed())))
        .collect();
    left = left.min(spare);
    let (mut resizes, mut unsealed_stops) = (Vec::new(), 0);
    for (set, sealed) in old.iter().zip(sealed) {
        let unsealed = take(&mut left, set.replicas - sealed);
        if sealed + unsealed > 0 {
            resizes.push(set.resized(set.replicas - sealed - unsealed));
            unsealed_stops += unsealed;
        }
    }
    (resizes, unsealed_stops)
}

/// As much of it as is left.
fn take(left: &mut u32, wanted: u32) -> u32 {
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

/// Ends the chambers of every other release than these, and removes their sets, so that no late order finds them.
///
/// `None` when there are none. Sealed chambers go at once; unsealed ones only while enough others stay.
pub fn clear(world: &World, keep: &[&str], step: Step) -> Option<Plan> {
    let others: Vec<&Set> = world
        .sets
        .iter()
        .filter(|set| !keep.contains(&set.release.revision.as_str()))
        .collect();
    let (resizes, stops) = stop(world, &others, u32::MAX);
    if !resizes.is_empty() {
        return Some(within_budget(world, step, resizes, stops));
    }
    if let Some(set) = others.iter().find(|set| set.replicas > 0) {
        let (name, revision) = (set.name.clone(), set.release.revision.clone());
        let unwanted = ChamberObstacle::Unwanted(name, set.replicas, revision);
        return Some(Plan::block(step, unwanted));
    }
    if let Some(chamber) = others.iter().find_map(|set| set.chambers.first()) {
        return Some(chambers::leaves(world, chamber, step));
    }
    let names: Vec<_> = others.iter().map(|set| set.name.clone()).collect();
    (!names.is_empty()).then(|| Plan::act(step, Action::RemoveSets(names)))
}
