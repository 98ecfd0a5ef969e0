//! Laws 3 and 4: which chambers may be stopped, and when a measurement may leave.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    Action, Attestation, Chamber, FRESH, Gate, KeyWrite, Metrics, PodMetrics, Rollover, Transition,
    World, attested,
};

use super::usable::{running, ways_back};

/// Law 3: unsealed chambers are stopped only while `replicas - maxUnavailable` others stay, and the budget allows it.
pub fn no_lost_quorum(world: &World, action: &Action) -> Result<(), String> {
    let Action::Resize(resizes) = action else {
        return Ok(());
    };
    // Who deletes the resource has given up the service, too.
    if world.spec.deletion.is_some() {
        return Ok(());
    }
    let mut staying: BTreeMap<&str, u32> = world
        .sets
        .iter()
        .map(|set| (set.release.revision.as_str(), set.unsealed()))
        .collect();
    let mut stops = 0;
    for resize in resizes.iter().filter(|resize| resize.to < resize.from) {
        let unsealed = staying.entry(&resize.release.revision).or_default();
        stops += unsealed.saturating_sub(resize.to);
        *unsealed = (*unsealed).min(resize.to);
    }
    if stops == 0 {
        return Ok(());
    }
    let floor = world
        .spec
        .replicas
        .saturating_sub(world.spec.max_unavailable);
    let left: u32 = staying.values().sum();
    if left < floor {
        return Err(format!(
            "{left} unsealed chambers would be left, {floor} must stay"
        ));
    }
    match world.budget {
        Some(allowed) if stops <= allowed => Ok(()),
        budget => Err(format!(
            "{stops} unsealed chambers would be stopped, the disruption budgets allow {budget:?}"
        )),
    }
}

/// Law 4: a measurement leaves only when no pod with it exists and every chamber of the target was verified.
pub fn no_blind_retirement(world: &World, action: &Action) -> Result<(), String> {
    match action {
        Action::Transition(Transition::RetireBegun) => {
            none_of_the_old(world)?;
            all_proven(world)?;
            all_attested(world)
        }
        Action::WritePolicies(writes) => {
            nothing_leaves_that_runs(world, writes)?;
            let rollover = world.record.rollover.as_ref();
            let rollover = rollover.filter(|_| world.spec.deletion.is_none());
            if rollover.is_some_and(|rollover| leaves(world, rollover, writes)) {
                none_of_the_old(world)?;
                all_unsealed(world)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whatever the record says: a measurement that a policy loses is none that a chamber has.
fn nothing_leaves_that_runs(world: &World, writes: &[KeyWrite]) -> Result<(), String> {
    for measurement in running(world) {
        let loses = |write: &&KeyWrite| {
            world.share(&write.arn).is_some_and(|share| {
                key_policy::decrypts(&write.expected, &share.template, measurement)
                    && !key_policy::decrypts(&write.policy, &share.template, measurement)
            })
        };
        if let Some(write) = writes.iter().find(loses) {
            return Err(format!(
                "key {} would lose {}, which chambers run",
                write.name, measurement.image_sha384
            ));
        }
    }
    Ok(())
}

/// Whether a release before the target would leave a policy; a revoked one may.
fn leaves(world: &World, rollover: &Rollover, writes: &[KeyWrite]) -> bool {
    let target = &rollover.to.measurement;
    let mut before = ways_back(world, rollover).filter(|measurement| *measurement != target);
    before.any(|before| {
        writes.iter().any(|write| {
            world.share(&write.arn).is_some_and(|share| {
                key_policy::decrypts(&write.expected, &share.template, before)
                    && !key_policy::decrypts(&write.policy, &share.template, before)
            })
        })
    })
}

fn none_of_the_old(world: &World) -> Result<(), String> {
    let Some(rollover) = &world.record.rollover else {
        return Err("no rollover is in flight".to_owned());
    };
    let target = rollover.to.measurement.id();
    // One image under two manifests has one id: there the release tells its chambers apart.
    let same_image = rollover.from.as_ref().is_some_and(|from| {
        from.measurement.same_image(&rollover.to.measurement)
            && from.measurement != rollover.to.measurement
    });
    let old = |chamber: &&Chamber| {
        chamber.measurement_id != target || (same_image && chamber.revision != rollover.to.revision)
    };
    match world.chambers().find(old) {
        Some(chamber) => Err(format!("chamber {} is still there", chamber.name)),
        None => Ok(()),
    }
}

fn all_unsealed(world: &World) -> Result<(), String> {
    let (unsealed, replicas) = (world.unsealed(), world.spec.replicas);
    if unsealed < replicas {
        return Err(format!("{unsealed} of {replicas} chambers are unsealed"));
    }
    Ok(())
}

/// Every share that is not accepted at risk was opened by the process that began then.
fn every_share(world: &World, metrics: &PodMetrics, started: Timestamp) -> bool {
    let mut needed = world
        .spec
        .shares
        .iter()
        .filter(|share| world.spec.managed_sealing && !share.accepted_at_risk);
    needed.all(|share| metrics.opened.get(&share.arn) >= Some(&started))
}

/// Every chamber has unsealed since its start and was not rejected during the soak time, by Prometheus' word.
fn all_proven(world: &World) -> Result<(), String> {
    all_unsealed(world)?;
    if world.unsealed() == 0 {
        return Err("no chamber runs that could prove anything".to_owned());
    }
    let Some(Metrics::Known { window, pods }) = &world.metrics else {
        return Err("the chambers' metrics are not known".to_owned());
    };
    if *window < world.spec.soak_time {
        return Err("rejections were not counted over the whole soak time".to_owned());
    }
    let proven = |chamber: &Chamber| {
        let metrics = pods.get(&chamber.name)?;
        let (unsealed, rejected) = (metrics.unsealed?, metrics.rejected?);
        let started = chamber.started_at?;
        let after_start = metrics.sampled_at? >= started && metrics.unsealed_before? >= started;
        (unsealed >= 1.0 && rejected <= 0.0 && after_start && every_share(world, metrics, started))
            .then_some(())
    };
    match world
        .chambers()
        .find(|chamber| !chamber.terminating() && proven(chamber).is_none())
    {
        Some(chamber) => Err(format!("chamber {} is not verified", chamber.name)),
        None => Ok(()),
    }
}

/// Every chamber was asked just now, and no answer contradicts; where the spec demands it, each one attests.
fn all_attested(world: &World) -> Result<(), String> {
    let Some(rollover) = &world.record.rollover else {
        return Ok(());
    };
    let silence_passes = match attested::gate(world, &rollover.to) {
        Gate::Disabled => return Ok(()),
        Gate::Required => false,
        Gate::Preferred => world.record.attested.is_none(),
    };
    let asked = world.attestations.as_ref();
    let answers = asked
        .and_then(|asked| asked.within(FRESH, world.now))
        .ok_or("no chamber was asked just now what it attests")?;
    let passes = |chamber: &Chamber| match answers.get(&chamber.name) {
        Some(Attestation::Attested { at, opened, .. }) => {
            let mut shares = world.spec.shares.iter();
            let every = shares.all(|share| share.accepted_at_risk || opened.contains(&share.arn));
            every && chamber.started_at.is_some_and(|started| *at >= started)
        }
        Some(Attestation::Silent(_)) => silence_passes,
        Some(Attestation::Refused(_)) | None => false,
    };
    let mut staying = world.chambers().filter(|chamber| !chamber.terminating());
    match staying.find(|chamber| !passes(chamber)) {
        Some(chamber) => Err(format!("chamber {} does not attest", chamber.name)),
        None => Ok(()),
    }
}
