//! No rollover in flight: begin one, repair drift, or rest.

use crate::admit::{Extent, ask, projections};
use crate::{
    Action, Blob, Look, Note, Plan, Reason, Release, Resize, Step, World, keys, measure, seal,
};

const STEP: Step = Step::Settled;

/// What there is to do outside a rollover.
pub fn next(world: &World) -> Plan {
    let Some(current) = &world.record.current else {
        return first_start(world);
    };
    if current.revision != world.spec.release.revision {
        return measure::next(world, Some(current));
    }
    look(world)
        .or_else(|| keys::healthy(world, STEP))
        .or_else(|| drift(world, current))
        .or_else(|| blob(world, current))
        .or_else(|| sets(world, current))
        .unwrap_or_else(|| rest(world))
}

/// Nothing is recorded: a new cluster, or one whose status was lost.
fn first_start(world: &World) -> Plan {
    let [set] = world.sets.as_slice() else {
        return match world.sets.len() {
            0 => measure::next(world, None),
            _ => Plan::block(
                STEP,
                Reason::UnexpectedChambers,
                "status is lost and ReplicaSets of several releases are there: scale those that are not wanted to 0 and delete them",
            ),
        };
    };
    keys::healthy(world, STEP).unwrap_or_else(|| {
        let live = [set.release.measurement.clone()];
        let everywhere = world.facts().all(|(share, facts)| {
            facts.policy.as_ref().is_ok_and(|policy| keys::in_sync(policy, &share.template, &live))
        });
        if everywhere {
            Plan::act(STEP, Action::Note(Note::Adopted(set.release.clone())))
        } else {
            Plan::block(STEP, Reason::UnexpectedChambers, format!(
                "status is lost, and not every key's policy admits exactly the release that ReplicaSet {} runs ({}). Set the policies to it",
                set.name, set.release.measurement.image_sha384))
        }
    })
}

/// Nobody tells when a policy changes, so the keys are read once in a drift interval.
fn look(world: &World) -> Option<Plan> {
    (!world.keys_fresh(world.spec.drift_interval)).then_some(Plan::Look(Look::Keys))
}

/// Puts policies back that a foreign hand changed.
fn drift(world: &World, current: &Release) -> Option<Plan> {
    let live = [current.measurement.clone()];
    match projections(world, &live) {
        Err(message) => Some(Plan::block(STEP, Reason::PolicyUnsound, message)),
        Ok(writes) if writes.is_empty() => ask(world, STEP, &live, Extent::Exactly),
        Ok(writes) => {
            let unsound = writes.iter().find_map(|write| {
                let share = world
                    .spec
                    .shares
                    .iter()
                    .find(|share| share.arn == write.arn)?;
                keys::unsound(&write.policy, share)
            });
            Some(match unsound {
                Some(message) => Plan::block(STEP, Reason::PolicyUnsound, message),
                None => Plan::act(STEP, Action::WritePolicies(writes)),
            })
        }
    }
}

fn blob(world: &World, current: &Release) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    match world.blobs.get(&current.measurement.id()) {
        None => measure::lost(world, STEP),
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, Reason::BlobMismatch, why.clone())),
        Some(Blob::Sound { commitment }) => seal::commit(world, STEP, commitment),
    }
}

/// The current release has its chambers, and no other release has any.
fn sets(world: &World, current: &Release) -> Option<Plan> {
    let (own, others): (Vec<_>, Vec<_>) = world
        .sets
        .iter()
        .partition(|set| set.release.revision == current.revision);
    if let Some(other) = others.iter().find(|set| set.replicas > 0) {
        let message = format!(
            "ReplicaSet {} wants {} chambers of a release that is not current: scale it to 0",
            other.name, other.replicas
        );
        return Some(Plan::block(STEP, Reason::UnexpectedChambers, message));
    }
    if !others.is_empty() {
        let names = others.iter().map(|set| set.name.clone()).collect();
        return Some(Plan::act(STEP, Action::RemoveSets(names)));
    }
    let found = own.first().map_or(0, |set| set.replicas);
    (found != world.spec.replicas).then(|| {
        let resize = Resize {
            release: current.clone(),
            from: found,
            to: world.spec.replicas,
        };
        Plan::act(STEP, Action::Resize(vec![resize]))
    })
}

fn rest(world: &World) -> Plan {
    let until = world
        .oldest_reading()
        .unwrap_or(world.now)
        .checked_add(world.spec.drift_interval)
        .unwrap_or(world.now);
    let unsealed = world.unsealed();
    if unsealed < world.spec.replicas {
        let message = format!(
            "{unsealed} of {} chambers are unsealed",
            world.spec.replicas
        );
        return Plan::wait_until(STEP, Reason::ChambersNotReady, message, Some(until));
    }
    Plan::Settled { until }
}
