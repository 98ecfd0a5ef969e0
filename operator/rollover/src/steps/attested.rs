//! The attested gate of Verify: each chamber proves by a fresh document that it runs the target, unsealed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    Action, Attestation, Attestations, Chamber, FRESH, Gate, Look, Plan, Reason, Rollover, Step,
    Transition, World,
};

const STEP: Step = Step::Verify;
/// What the chambers answered, by pod name.
type Answers = BTreeMap<String, Attestation>;

/// What the gate still needs; `until` is when chambers are asked again.
pub fn next(
    world: &World,
    rollover: &Rollover,
    chambers: &[Chamber],
    until: Timestamp,
) -> Option<Plan> {
    if world.spec.gate == Gate::Disabled {
        return None;
    }
    if let Some(Attestations::Deferred { until }) = &world.attestations {
        let message =
            "the chambers were asked to attest a moment ago; they are asked again by themselves";
        return Some(Plan::wait_until(
            STEP,
            Reason::AttestationMissing,
            message,
            Some(*until),
        ));
    }
    let Some(answers) = answers(world) else {
        let revision = rollover.to.revision.clone();
        return Some(Plan::Look(Look::Attestation { revision }));
    };
    let (reason, message) = chambers
        .iter()
        .find_map(|chamber| refused(chamber, answers))
        .or_else(|| {
            chambers
                .iter()
                .find_map(|chamber| unproven(world, chamber, answers))
        })?;
    Some(Plan::wait_until(STEP, reason, message, Some(until)))
}

/// The first release that attests is written down: from then on `Preferred` takes silence for no answer.
pub fn record(world: &World, rollover: &Rollover, chambers: &[Chamber]) -> Option<Plan> {
    if world.spec.gate == Gate::Disabled || world.record.attested.is_some() {
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

fn answers(world: &World) -> Option<&Answers> {
    world.attestations.as_ref()?.within(FRESH, world.now)
}

/// A document that proves something else is told before anything that is merely missing.
fn refused(chamber: &Chamber, answers: &Answers) -> Option<(Reason, String)> {
    let Some(Attestation::Refused(why)) = answers.get(&chamber.name) else {
        return None;
    };
    let node = chamber.node.as_deref().unwrap_or("(none)");
    let message = format!(
        "chamber {} on node {node} does not attest what it should: {why}. Retire waits until every chamber does; where nothing explains it, treat the node as hostile, drain it and delete the pod",
        chamber.name
    );
    Some((Reason::AttestationRefused, message))
}

/// What is missing of one chamber's proof.
fn unproven(world: &World, chamber: &Chamber, answers: &Answers) -> Option<(Reason, String)> {
    match answers.get(&chamber.name) {
        Some(Attestation::Attested { at, opened, .. }) => {
            let started = chamber.started_at.unwrap_or(Timestamp::MAX);
            let before = (*at < started).then(|| missing(chamber, "it was asked before its start"));
            before.or_else(|| unopened(world, chamber, opened))
        }
        Some(Attestation::Silent(why)) => demanded(world).then(|| missing(chamber, why)),
        Some(Attestation::Refused(_)) => None,
        None => Some(missing(chamber, "it was not asked")),
    }
}

/// Whether silence stops.
fn demanded(world: &World) -> bool {
    match world.spec.gate {
        Gate::Required => true,
        Gate::Preferred => world.record.attested.is_some(),
        Gate::Disabled => false,
    }
}

fn missing(chamber: &Chamber, why: &str) -> (Reason, String) {
    let message = format!(
        "chamber {} does not attest: {why}. It is asked again; an image that cannot answer passes with spec.verification.attestation: Disabled only, which leaves the proof to Prometheus",
        chamber.name
    );
    (Reason::AttestationMissing, message)
}

/// A share that the chamber did not open, by its own attested word.
fn unopened(
    world: &World,
    chamber: &Chamber,
    opened: &BTreeSet<String>,
) -> Option<(Reason, String)> {
    let mut shares = world.spec.shares.iter();
    let missing = shares.find(|share| !share.accepted_at_risk && !opened.contains(&share.arn))?;
    let message = format!(
        "chamber {} attests that it unsealed without the share of key {}: put the key right and delete the pod, so that its successor opens every share, or accept it by name in spec.keys.acceptAtRisk",
        chamber.name, missing.name
    );
    Some((Reason::ShareUnopened, message))
}
