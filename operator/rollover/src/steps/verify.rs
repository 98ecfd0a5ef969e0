//! Step 4, Verify: each chamber unsealed since its start with every share and attests it, and no attestation was
//! rejected during the soak time.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Chamber, Look, Metrics, Plan, PodMetrics, Query, Rollover, Step, VerifyObstacle, World,
    attested,
};

const STEP: Step = Step::Verify;
/// How soon it is asked again at first: samples come with the next scrape, which no event tells. Not sooner than
/// one server is asked, or a cluster alone would wait for itself.
const SOON: SignedDuration = SignedDuration::from_secs(1);
/// How seldom it is asked in the end.
const SELDOM: SignedDuration = SignedDuration::from_secs(30);

/// What Verify still needs; `None` when it is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if world.retires(rollover) {
        return None;
    }
    let chambers = &world.set(&rollover.to.revision)?.chambers;
    if chambers.is_empty() {
        let nothing = VerifyObstacle::NoChamber(rollover.to.revision.clone());
        return Some(Plan::wait(STEP, nothing));
    }
    let soaked = soaked(world, chambers);
    if let Some(until) = soaked.filter(|until| world.now < *until) {
        let soaking = VerifyObstacle::Soaking(until);
        return Some(Plan::wait_until(STEP, soaking, Some(until)));
    }
    let until = again(world.now, soaked.unwrap_or(world.now));
    attested::next(world, rollover, chambers, until)
        .or_else(|| flat(world, chambers, until))
        .or_else(|| attested::record(world, rollover, chambers))
}

/// What Prometheus still has to say: it vetoes, whatever chambers attest.
fn flat(world: &World, chambers: &[Chamber], until: Timestamp) -> Option<Plan> {
    let wait = |found| Plan::wait_until(STEP, found, Some(until));
    match &world.metrics {
        Some(Metrics::Known { window, pods }) if *window >= world.spec.soak_time => chambers
            .iter()
            .find_map(|chamber| objection(world, chamber, pods.get(&chamber.name)))
            .map(wait),
        Some(Metrics::Unavailable(why)) => {
            let waits = "Retire waits for an answer";
            Some(wait(VerifyObstacle::Unavailable(why.clone(), waits)))
        }
        Some(Metrics::Deferred { until }) => Some(deferred(STEP, *until)),
        _ => Some(Plan::Look(Look::Metrics {
            window: world.spec.soak_time,
        })),
    }
}

/// Waits for the cluster's turn with a Prometheus that is asked so often, and no more, for all clusters together.
pub fn deferred(step: Step, until: Timestamp) -> Plan {
    Plan::wait_until(step, VerifyObstacle::Deferred, Some(until))
}

/// The end of the soak time, counted from the last chamber's unsealing: a restart of any of them restarts it.
fn soaked(world: &World, chambers: &[Chamber]) -> Option<Timestamp> {
    let unsealed = chambers.iter().filter_map(|chamber| chamber.unsealed_since);
    unsealed.max()?.checked_add(world.spec.soak_time).ok()
}

/// When an answer of which no event tells is asked for again: after a quarter of the time that it has been missing.
pub fn again(now: Timestamp, since: Timestamp) -> Timestamp {
    let pause = (now.duration_since(since) / 4).clamp(SOON, SELDOM);
    now.checked_add(pause).unwrap_or(now)
}

/// What speaks against one chamber.
fn objection(
    world: &World,
    chamber: &Chamber,
    metrics: Option<&PodMetrics>,
) -> Option<VerifyObstacle> {
    let found = metrics.cloned().unwrap_or_default();
    let started = chamber.started_at.unwrap_or(Timestamp::MAX);
    let fresh = found.sampled_at.is_some_and(|at| at >= started);
    if let Some(rejected) = found.rejected.filter(|count| fresh && *count > 0.0) {
        let pod = chamber.name.clone();
        return Some(VerifyObstacle::Rejected(
            pod,
            rejected,
            world.spec.soak_time,
        ));
    }
    inconclusive(chamber, &found, started)
        .map(VerifyObstacle::Inconclusive)
        .or_else(|| soaking(world, chamber, &found, started))
        .or_else(|| unopened(world, chamber, &found, started))
}

/// Which query says too little of a chamber.
fn inconclusive(chamber: &Chamber, found: &PodMetrics, started: Timestamp) -> Option<Query> {
    let pod = chamber.name.clone();
    Some(match (found.unsealed, found.sampled_at, found.rejected) {
        (None, ..) => Query::NoSeries(pod),
        (_, None, _) => Query::NoTime(pod),
        (_, Some(at), _) if at < started => Query::Old { pod, at, started },
        (Some(unsealed), ..) if unsealed < 1.0 => Query::Sealed(pod, unsealed),
        (.., None) => Query::NoRejections(pod),
        _ => return None,
    })
}

/// The soak time by Prometheus' clock, too: a node whose clock is wrong cannot shorten it alone.
fn soaking(
    world: &World,
    chamber: &Chamber,
    found: &PodMetrics,
    started: Timestamp,
) -> Option<VerifyObstacle> {
    let seen = found.unsealed_before.is_some_and(|at| at >= started);
    let pod = chamber.name.clone();
    (!seen).then_some(VerifyObstacle::SoakingByPrometheus(
        pod,
        world.spec.soak_time,
    ))
}

/// A share that the chamber did not open, although the spec does not accept that its key is at risk.
fn unopened(
    world: &World,
    chamber: &Chamber,
    found: &PodMetrics,
    started: Timestamp,
) -> Option<VerifyObstacle> {
    let shares = &world.spec.shares;
    let missing = shares.iter().find(|share| {
        let opened = found
            .opened
            .get(&share.arn)
            .is_some_and(|at| *at >= started);
        world.spec.managed_sealing && !share.accepted_at_risk && !opened
    })?;
    let (key, arn) = (missing.name.clone(), missing.arn.clone());
    Some(VerifyObstacle::Unopened(chamber.name.clone(), key, arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_no_answer_helps_the_more_seldom_prometheus_is_asked() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(5);
        let pause =
            |waited| again(now, now - SignedDuration::from_secs(waited)).duration_since(now);
        assert_eq!(pause(0), SOON);
        assert_eq!(pause(20), SignedDuration::from_secs(5));
        assert_eq!(pause(3600), SELDOM);
        // A clock that was set back asks no faster.
        assert_eq!(pause(-3600), SOON);
    }

    #[test]
    fn a_day_without_samples_is_asked_about_some_three_thousand_times() {
        let since = Timestamp::UNIX_EPOCH;
        let (mut now, mut asked) = (since, 0);
        while now.duration_since(since) < SignedDuration::from_hours(24) {
            (now, asked) = (again(now, since), asked + 1);
        }
        assert!((2880..2920).contains(&asked), "{asked}");
    }
}
