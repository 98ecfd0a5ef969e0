//! The attested gate of Verify: each chamber proves by a fresh document that it runs the target, unsealed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use measurement::MANIFEST_REGISTER;

use crate::{
    Action, Attestation, Attestations, Chamber, FRESH, Gate, KeyFacts, Look, Plan, Release,
    Rollover, Share, Step, Transition, VerifyObstacle, World, manifest,
};

const STEP: Step = Step::Verify;
/// Between two questions of a settled cluster.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// What the chambers answered, by pod name.
type Answers = BTreeMap<String, Attestation>;

/// What the gate still needs; `until` is when chambers are asked again.
pub fn next(
    world: &World,
    rollover: &Rollover,
    chambers: &[Chamber],
    until: Timestamp,
) -> Option<Plan> {
    if gate(world, &rollover.to) == Gate::Disabled {
        return None;
    }
    if let Some(Attestations::Deferred { until }) = &world.attestations {
        return Some(deferred(STEP, *until));
    }
    let Some(answers) = answers(world) else {
        let revision = rollover.to.revision.clone();
        return Some(Plan::Look(Look::Attestation { revision }));
    };
    let gate = gate(world, &rollover.to);
    let objection = objection(world, gate, chambers, answers)?;
    Some(Plan::wait_until(STEP, objection, Some(until)))
}

/// The first release that attests is written down: from then on `Preferred` takes silence for no answer.
pub fn record(world: &World, rollover: &Rollover, chambers: &[Chamber]) -> Option<Plan> {
    if gate(world, &rollover.to) == Gate::Disabled || world.record.attested.is_some() {
        return None;
    }
    let answers = answers(world)?;
    let attests = |chamber: &Chamber| {
        matches!(
            answers.get(&chamber.name),
            Some(Attestation::Attested { .. })
        )
    };
    chambers.iter().all(attests).then(|| {
        let note = Transition::Attested(rollover.to.revision.clone());
        Plan::act(STEP, Action::Transition(note))
    })
}

/// What the spec asks of the chambers of a release; a pin of PCR16 that no chamber has proven could keep all of them out.
pub fn gate(world: &World, release: &Release) -> Gate {
    if manifest::is_pinned(world, release) {
        Gate::Required
    } else {
        world.spec.gate
    }
}

/// A pin of PCR16 comes into the policies of a settled cluster only once every chamber has proven that it has the value.
pub fn before_pin(world: &World, current: &Release) -> Option<Plan> {
    // One key that pins it already says that it was proven; one that admits nobody is put right at once.
    let image = current.measurement.image_sha384.to_string();
    let found = |(share, facts): (&Share, &KeyFacts)| {
        let policy = facts.policy.as_ref().ok().filter(|_| share.managed)?;
        let found = key_policy::found(policy, &share.template).ok()?;
        let admits = found.image_sha384.contains(&image);
        admits.then(|| found.registers.contains_key(&MANIFEST_REGISTER))
    };
    let pins: Vec<bool> = world.facts().filter_map(found).collect();
    if !manifest::is_pinned(world, current) || pins.is_empty() || pins.contains(&true) {
        return None;
    }
    let Some(answers) = answers(world) else {
        let revision = current.revision.clone();
        return Some(match &world.attestations {
            Some(Attestations::Deferred { until }) => deferred(Step::Settled, *until),
            _ => Plan::Look(Look::Attestation { revision }),
        });
    };
    let chambers = world.set(&current.revision).map(|set| &set.chambers)?;
    let objection = objection(world, Gate::Required, chambers, answers)?;
    let until = world.now.checked_add(AGAIN).ok();
    Some(Plan::wait_until(Step::Settled, objection, until))
}

fn deferred(step: Step, until: Timestamp) -> Plan {
    Plan::wait_until(step, VerifyObstacle::AskedBefore, Some(until))
}

fn answers(world: &World) -> Option<&Answers> {
    world.attestations.as_ref()?.within(FRESH, world.now)
}

/// The first that speaks against a chamber: a document that proves something else before anything that is merely missing.
fn objection(
    world: &World,
    gate: Gate,
    chambers: &[Chamber],
    answers: &Answers,
) -> Option<VerifyObstacle> {
    let refused = chambers
        .iter()
        .find_map(|chamber| refused(chamber, answers));
    let unproven = |chamber| unproven(world, gate, chamber, answers);
    refused.or_else(|| chambers.iter().find_map(unproven))
}

/// What a document proves that it should not.
fn refused(chamber: &Chamber, answers: &Answers) -> Option<VerifyObstacle> {
    let Some(Attestation::Refused(why)) = answers.get(&chamber.name) else {
        return None;
    };
    let (pod, node) = (chamber.name.clone(), chamber.node.clone());
    Some(VerifyObstacle::Refused(pod, node, why.clone()))
}

/// What is missing of one chamber's proof.
fn unproven(
    world: &World,
    gate: Gate,
    chamber: &Chamber,
    answers: &Answers,
) -> Option<VerifyObstacle> {
    match answers.get(&chamber.name) {
        Some(Attestation::Attested { at, opened, .. }) => {
            let started = chamber.started_at.unwrap_or(Timestamp::MAX);
            let before = (*at < started).then(|| missing(chamber, "it was asked before its start"));
            before.or_else(|| unopened(world, chamber, opened))
        }
        Some(Attestation::Silent(why)) => demanded(world, gate).then(|| missing(chamber, why)),
        Some(Attestation::Refused(_)) => None,
        None => Some(missing(chamber, "it was not asked")),
    }
}

/// Whether silence stops.
fn demanded(world: &World, gate: Gate) -> bool {
    match gate {
        Gate::Required => true,
        Gate::Preferred => world.record.attested.is_some(),
        Gate::Disabled => false,
    }
}

fn missing(chamber: &Chamber, why: &str) -> VerifyObstacle {
    VerifyObstacle::Silent(chamber.name.clone(), why.to_owned())
}

/// A share that the chamber did not open, by its own attested word.
fn unopened(world: &World, chamber: &Chamber, opened: &BTreeSet<String>) -> Option<VerifyObstacle> {
    let mut shares = world.spec.shares.iter();
    let missing = shares.find(|share| !share.accepted_at_risk && !opened.contains(&share.arn))?;
    let (pod, key) = (chamber.name.clone(), missing.name.clone());
    Some(VerifyObstacle::AttestsUnopened(pod, key))
}
