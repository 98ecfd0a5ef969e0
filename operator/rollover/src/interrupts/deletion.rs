//! The resource is being deleted: policies are left with one measurement, or it is said why not.

use std::collections::BTreeSet;

use measurement::{MANIFEST_REGISTER, Measurement};

use crate::admit::{key_write, sound};
use crate::claim::{self, Claim};
use crate::roll::order;
use crate::{
    Action, AdmittedSet, Deletion, DeletionObstacle, Key, KeyFacts, KeyWrite, Look, Obstacle, Plan,
    Reading, Release, Rollover, Set, Share, Step, World, desired, keys, ownership, seal, tags,
};

const STEP: Step = Step::Retire;

/// What deletion still needs; `None` when the resource is not being deleted.
pub fn next(world: &World) -> Option<Plan> {
    let deletion = world.spec.deletion?;
    Some(match (&world.record.rollover, world.finalizer) {
        (_, false) => Plan::wait(STEP, Obstacle::Deletion(DeletionObstacle::Requested)),
        (None, true) => without_record(world),
        (Some(rollover), true) => leave(world, rollover, deletion),
    })
}

/// Settled, or status was lost in the middle: then it is said which policies admit more than one measurement.
fn without_record(world: &World) -> Plan {
    if world.record.current.is_some() {
        return allow(None);
    }
    if world.any_unread() {
        return Plan::Look(Look::Keys);
    }
    let two = |(share, facts): (&Share, &KeyFacts)| {
        let found = key_policy::found(facts.policy.as_ref().ok()?, &share.template).ok()?;
        // Two values of the manifest's register are one image under two manifests.
        let manifests = found
            .registers
            .get(&MANIFEST_REGISTER)
            .map_or(0, BTreeSet::len);
        (found.image_sha384.len() > 1 || manifests > 1).then(|| share.name.clone())
    };
    let names: Vec<_> = world.facts().filter_map(two).collect();
    allow((!names.is_empty()).then(|| {
        format!(
            "status was lost, and the policy of key {} still admits more than one measurement: leave the one that is wanted",
            names.join(", ")
        )
    }))
}

/// The chambers go first, then one measurement stays: that of the release that can be returned to.
fn leave(world: &World, rollover: &Rollover, deletion: Deletion) -> Plan {
    let left: Vec<&Set> = world.sets.iter().filter(|set| set.runs()).collect();
    if !left.is_empty() && !deletion.orphans {
        return stop(world, &left);
    }
    match (desired::left_by_deletion(world, rollover), &left[..]) {
        (Some(stays), _) => one_measurement(world, stays),
        (None, []) => allow(Some(
            "nothing but status names a release that could stay, so the policies are left as they are"
                .to_owned(),
        )),
        (None, _) => allow(Some(
            "chambers of two releases stay, so every policy still admits both measurements"
                .to_owned(),
        )),
    }
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
        None => Plan::wait(STEP, Obstacle::Deletion(DeletionObstacle::Chambers)),
    }
}

fn one_measurement(world: &World, stays: &Release) -> Plan {
    if world.any_unread() {
        return Plan::Look(Look::Keys);
    }
    let set = AdmittedSet::only(world, &stays.measurement);
    let mut writes = Vec::new();
    let mut undone = Vec::new();
    for Key { share, reading } in world.keys() {
        match left_in(world, share, reading, &set) {
            Ok(write) => writes.extend(write),
            Err(why) => undone.push(why),
        }
    }
    if let Some(Plan::Block { obstacle, .. }) = seal::other_keys(world) {
        undone.push(obstacle.to_string());
    }
    match ownership::write(world, STEP, &writes) {
        Some(Plan::Block { obstacle, .. }) => undone.push(obstacle.to_string()),
        Some(plan) => return plan,
        None => {}
    }
    allow((!undone.is_empty()).then(|| undone.join("; ")))
}

/// What is still to be written to a key, or why it cannot be the operator's doing.
fn left_in(
    world: &World,
    share: &Share,
    reading: &Reading,
    set: &AdmittedSet,
) -> Result<Option<KeyWrite>, String> {
    let facts = match reading {
        Reading::Unread => return Ok(None),
        Reading::Failed { message, .. } => return Err(message.clone()),
        Reading::Facts(facts) => facts,
    };
    let policy = facts.policy.as_ref();
    let policy = policy.map_err(|why| {
        let name = &share.name;
        format!("the policy of key {name} is no document: {why}")
    })?;
    let live = set.for_key(share, policy);
    if share.managed {
        return written(world, share, facts, &live);
    }
    if keys::admits_exactly(share, facts, &live) {
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

/// The write to a managed key, or why it will not come: another owner, an error, or a lasting refusal.
fn written(
    world: &World,
    share: &Share,
    facts: &KeyFacts,
    live: &[Measurement],
) -> Result<Option<KeyWrite>, String> {
    let write = key_write(world, share, facts, |_| live.to_vec());
    let Some(write) = write.map_err(|found| found.to_string())? else {
        return Ok(None);
    };
    if claim::claim_of(world, facts) == Claim::Anothers {
        let owner = tags::owner_of(&facts.tags).unwrap_or_default();
        let name = &share.name;
        return Err(format!("key {name} has another owner's tags, {owner}"));
    }
    if let Some(Plan::Block { obstacle, .. }) = sound(world, STEP, std::slice::from_ref(&write)) {
        return Err(obstacle.to_string());
    }
    if world.record.flips(&share.arn, world.now) {
        return Err(format!(
            "something else changes the policy of key {} back again and again",
            share.name
        ));
    }
    match world.refusals.get(&share.arn) {
        Some(refusal) if world.now.duration_since(refusal.since) > world.spec.progress_deadline => {
            Err(refusal.message.clone())
        }
        _ => Ok(Some(write)),
    }
}

fn allow(undone: Option<String>) -> Plan {
    Plan::act(STEP, Action::RemoveFinalizer(undone))
}
