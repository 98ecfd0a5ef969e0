//! Step 4, Verify: each chamber unsealed since its start with every share and attests it, and no attestation was
//! rejected during the soak time.

use jiff::{SignedDuration, Timestamp};

use crate::{Chamber, Look, Metrics, Plan, PodMetrics, Reason, Rollover, Step, World, attested};

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
        let message = format!(
            "no chamber is wanted, so nothing proves that release {} unseals. Set spec.chambers.replicas to 1 at least",
            rollover.to.revision
        );
        return Some(Plan::wait(STEP, Reason::MetricsInconclusive, message));
    }
    let soaked = soaked(world, chambers);
    if let Some(until) = soaked.filter(|until| world.now < *until) {
        let message =
            format!("all chambers are unsealed; no attestation may be rejected until {until:.0}");
        return Some(Plan::wait_until(
            STEP,
            Reason::Soaking,
            message,
            Some(until),
        ));
    }
    let until = again(world.now, soaked.unwrap_or(world.now));
    attested::next(world, rollover, chambers, until)
        .or_else(|| flat(world, chambers, until))
        .or_else(|| attested::record(world, rollover, chambers))
}

/// What Prometheus still has to say: it vetoes, whatever chambers attest.
fn flat(world: &World, chambers: &[Chamber], until: Timestamp) -> Option<Plan> {
    let wait = |(reason, message)| Plan::wait_until(STEP, reason, message, Some(until));
    match &world.metrics {
        Some(Metrics::Known { window, pods }) if *window >= world.spec.soak_time => chambers
            .iter()
            .find_map(|chamber| objection(world, chamber, pods.get(&chamber.name)))
            .map(wait),
        Some(Metrics::Unavailable(why)) => Some(wait((
            Reason::PrometheusUnavailable,
            format!("spec.verification.prometheus: {why}. Retire waits for an answer"),
        ))),
        Some(Metrics::Deferred { until }) => Some(deferred(STEP, *until)),
        _ => Some(Plan::Look(Look::Metrics {
            window: world.spec.soak_time,
        })),
    }
}

/// Waits for the cluster's turn with a Prometheus that is asked so often, and no more, for all clusters together.
pub fn deferred(step: Step, until: Timestamp) -> Plan {
    let message = "spec.verification.prometheus: this server is asked once a second at most, for all clusters together; the turn of this one comes by itself";
    Plan::wait_until(
        step,
        Reason::MetricsInconclusive,
        message.to_owned(),
        Some(until),
    )
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
) -> Option<(Reason, String)> {
    let found = metrics.cloned().unwrap_or_default();
    let started = chamber.started_at.unwrap_or(Timestamp::MAX);
    let fresh = found.sampled_at.is_some_and(|at| at >= started);
    if let Some(rejected) = found.rejected.filter(|count| fresh && *count > 0.0) {
        return Some((
            Reason::AttestationRejected,
            format!(
                "KMS rejected {rejected} attestations of chamber {} within the last {:#}: a key policy does not admit it everywhere yet",
                chamber.name, world.spec.soak_time
            ),
        ));
    }
    inconclusive(chamber, &found, started)
        .map(|message| (Reason::MetricsInconclusive, message))
        .or_else(|| soaking(world, chamber, &found, started))
        .or_else(|| unopened(world, chamber, &found, started))
}

/// Which query says too little of a chamber.
fn inconclusive(chamber: &Chamber, found: &PodMetrics, started: Timestamp) -> Option<String> {
    let pod = &chamber.name;
    let said = match (found.unsealed, found.sampled_at, found.rejected) {
        (None, ..) => format!(
            "unsealed gives no series for pod {pod}: check that Prometheus scrapes the chambers and keeps the labels `namespace` and `pod`"
        ),
        (_, None, _) => format!("unsealed gives no time of a sample for pod {pod}"),
        (_, Some(at), _) if at < started => format!(
            "unsealed has its last sample of pod {pod} at {at:.0}, before its start at {started:.0}: check that Prometheus scrapes it"
        ),
        (Some(unsealed), ..) if unsealed < 1.0 => {
            format!("unsealed gives {unsealed} for pod {pod}, which is ready: expected 1 or more")
        }
        (.., None) => format!(
            "rejected gives no series for pod {pod}; a counter that appears with the first rejection needs `or` with one that is always there"
        ),
        _ => return None,
    };
    Some(format!("spec.verification.queries.{said}"))
}

/// The soak time by Prometheus' clock, too: a node whose clock is wrong cannot shorten it alone.
fn soaking(
    world: &World,
    chamber: &Chamber,
    found: &PodMetrics,
    started: Timestamp,
) -> Option<(Reason, String)> {
    let seen = found.unsealed_before.is_some_and(|at| at >= started);
    (!seen).then(|| {
        let message = format!(
            "Prometheus has no sample yet of chamber {} that is {:#} old and shows it unsealed: soakTime is not over by its clock",
            chamber.name, world.spec.soak_time
        );
        (Reason::Soaking, message)
    })
}

/// A share that the chamber did not open, although the spec does not accept that its key is at risk.
fn unopened(
    world: &World,
    chamber: &Chamber,
    found: &PodMetrics,
    started: Timestamp,
) -> Option<(Reason, String)> {
    let shares = &world.spec.shares;
    let missing = shares.iter().find(|share| {
        let opened = found
            .opened
            .get(&share.arn)
            .is_some_and(|at| *at >= started);
        world.spec.managed_sealing && !share.accepted_at_risk && !opened
    })?;
    let message = format!(
        "chamber {} unsealed without the share of key {} (no chamber_tee_share_total{{result=\"opened\",key={:?}}} since its start): put the key right and delete the pod, so that its successor opens every share, or accept it by name in spec.keys.acceptAtRisk",
        chamber.name, missing.name, missing.arn
    );
    Some((Reason::ShareUnopened, message))
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
