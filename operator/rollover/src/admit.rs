//! Step 2, Admit: every key's policy holds the old and the new measurement, and the blob is bound for the new one.

use key_policy::Policy;
use measurement::Measurement;

use crate::keys;
use crate::{Action, KeyFacts, KeyWrite, Note, Plan, Reason, Rollover, Share, Step, World, seal};

const STEP: Step = Step::Admit;

/// What Admit still needs; `None` when it is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if rollover.retire_begun_at.is_some() {
        return None;
    }
    let live = rollover.live();
    claim(world)
        .or_else(|| write(world, rollover, &live))
        .or_else(|| ask(world, STEP, &live, Extent::AtLeast))
        .or_else(|| admitted(rollover))
        .or_else(|| seal::bind(world, rollover))
        .or_else(|| settle(world, rollover))
        .or_else(|| seal::next(world, rollover))
}

/// Marks the managed keys as this cluster's before a policy is touched.
fn claim(world: &World) -> Option<Plan> {
    let arns: Vec<_> = world
        .facts()
        .filter(|(share, facts)| share.managed && !keys::claimed(world, facts))
        .map(|(share, _)| share.arn.clone())
        .collect();
    (!arns.is_empty()).then(|| Plan::act(STEP, Action::ClaimKeys { arns }))
}

/// Writes the managed policies that do not hold exactly the live measurements.
fn write(world: &World, rollover: &Rollover, live: &[Measurement]) -> Option<Plan> {
    let writes = match projections(world, live) {
        Ok(writes) if writes.is_empty() => return None,
        Ok(writes) => writes,
        Err(message) => return Some(Plan::block(STEP, Reason::PolicyUnsound, message)),
    };
    if rollover.admitted_at.is_some() {
        return Some(Plan::act(STEP, Action::Note(Note::AdmissionLost)));
    }
    for write in &writes {
        let share = world
            .spec
            .shares
            .iter()
            .find(|share| share.arn == write.arn)?;
        if let Some(message) = keys::unsound(&write.policy, share) {
            return Some(Plan::block(STEP, Reason::PolicyUnsound, message));
        }
    }
    Some(Plan::act(STEP, Action::WritePolicies(writes)))
}

fn admitted(rollover: &Rollover) -> Option<Plan> {
    let note = Action::Note(Note::Admitted);
    rollover
        .admitted_at
        .is_none()
        .then(|| Plan::act(STEP, note))
}

/// Reading a policy back proves that it is stored, not that Decrypt enforces it everywhere yet.
fn settle(world: &World, rollover: &Rollover) -> Option<Plan> {
    if !rollover.changes_measurement() {
        return None;
    }
    let until = rollover
        .admitted_at?
        .checked_add(world.spec.settle_time)
        .ok()?;
    (world.now < until).then(|| {
        let message = format!("the policies are given until {until:.0} to take effect");
        Plan::wait_until(STEP, Reason::Settling, message, Some(until))
    })
}

/// The writes that make every managed policy hold exactly `live`.
pub fn projections(world: &World, live: &[Measurement]) -> Result<Vec<KeyWrite>, String> {
    let mut writes = Vec::new();
    for (share, facts) in world.facts().filter(|(share, _)| share.managed) {
        let Ok(found) = &facts.policy else { continue };
        let policy = key_policy::project(found, &share.template, live)
            .map_err(|fault| format!("the policy of key {}: {fault}", share.name))?;
        if !policy.equivalent(found) {
            writes.push(KeyWrite {
                name: share.name.clone(),
                arn: share.arn.clone(),
                expected: found.clone(),
                policy,
            });
        }
    }
    Ok(writes)
}

/// How much an observed policy must hold.
#[derive(Clone, Copy, PartialEq)]
pub enum Extent {
    /// All live measurements; its holder may be slow to remove others.
    AtLeast,
    /// Exactly the live measurements.
    Exactly,
}

/// Waits for the holders of observed keys.
pub fn ask(world: &World, step: Step, live: &[Measurement], extent: Extent) -> Option<Plan> {
    let waiting: Vec<_> = world
        .facts()
        .filter(|(share, facts)| !share.managed && !holds(share, facts, live, extent))
        .map(|(share, _)| share.name.as_str())
        .collect();
    (!waiting.is_empty()).then(|| {
        let message = format!(
            "waiting for the holder of key {}: status shows the policy that is asked for",
            waiting.join(", ")
        );
        Plan::wait(step, Reason::AwaitingKeyHolder, message)
    })
}

fn holds(share: &Share, facts: &KeyFacts, live: &[Measurement], extent: Extent) -> bool {
    let Ok(policy) = &facts.policy else {
        return false;
    };
    keys::in_sync(policy, &share.template, live)
        || (extent == Extent::AtLeast && admits_all(policy, share, live))
}

fn admits_all(policy: &Policy, share: &Share, live: &[Measurement]) -> bool {
    key_policy::admitted(policy, &share.template).is_ok_and(|admitted| {
        live.iter().all(|m| {
            let image = admitted.image_sha384.contains(&m.image_sha384.to_string());
            let registers = admitted.registers.iter().all(|(index, values)| {
                m.register(*index)
                    .is_some_and(|pcr| values.contains(&pcr.to_string()))
            });
            image && registers
        })
    })
}
