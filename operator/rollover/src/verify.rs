//! Step 4, Verify: each chamber unsealed since its start, and no attestation was rejected during the soak time.

use jiff::{SignedDuration, Timestamp};

use crate::{Chamber, Look, Metrics, Plan, PodMetrics, Reason, Rollover, Step, World};

const STEP: Step = Step::Verify;
/// How soon Prometheus is asked again: samples come with the next scrape, which no event tells.
const AGAIN: SignedDuration = SignedDuration::from_millis(500);

/// What Verify still needs; `None` when it is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if world.retires(rollover) {
        return None;
    }
    soak(world, rollover).or_else(|| match &world.metrics {
        Some(Metrics::Known { window, pods }) if *window >= world.spec.soak_time => world
            .set(&rollover.to.revision)?
            .chambers
            .iter()
            .find_map(|chamber| judge(world, chamber, pods.get(&chamber.name))),
        Some(Metrics::Unavailable(why)) => Some(again(
            world,
            Reason::PrometheusUnavailable,
            format!("spec.verification.prometheus.url: {why}. Retire waits for an answer"),
        )),
        _ => Some(Plan::Look(Look::Metrics {
            window: world.spec.soak_time,
        })),
    })
}

/// The soak time counts from the last chamber's unsealing: a restart of any of them restarts it.
fn soak(world: &World, rollover: &Rollover) -> Option<Plan> {
    let chambers = &world.set(&rollover.to.revision)?.chambers;
    let last = chambers
        .iter()
        .filter_map(|chamber| chamber.unsealed_since)
        .max()?;
    let until = last.checked_add(world.spec.soak_time).ok()?;
    (world.now < until).then(|| {
        let message =
            format!("all chambers are unsealed; no attestation may be rejected until {until:.0}");
        Plan::wait_until(STEP, Reason::Soaking, message, Some(until))
    })
}

/// What speaks against one chamber.
fn judge(world: &World, chamber: &Chamber, metrics: Option<&PodMetrics>) -> Option<Plan> {
    let found = metrics.cloned().unwrap_or_default();
    let started = chamber.started_at.unwrap_or(Timestamp::MAX);
    let fresh = found.sampled_at.is_some_and(|at| at >= started);
    match (found.unsealed, found.rejected) {
        (Some(unsealed), Some(rejected)) if fresh && unsealed >= 1.0 && rejected <= 0.0 => None,
        (Some(_), Some(rejected)) if fresh && rejected > 0.0 => Some(again(
            world,
            Reason::AttestationRejected,
            format!(
                "KMS rejected {rejected} attestations of chamber {} within the last {:#}: a key policy does not admit it everywhere yet",
                chamber.name, world.spec.soak_time
            ),
        )),
        _ => Some(again(
            world,
            Reason::MetricsInconclusive,
            format!(
                "Prometheus has no sample of chamber {} from after its start: unsealed {:?}, rejected {:?}, sampled {:?}. Check that it scrapes the chambers",
                chamber.name,
                found.unsealed,
                found.rejected,
                found.sampled_at.map(|at| at.to_string())
            ),
        )),
    }
}

fn again(world: &World, reason: Reason, message: String) -> Plan {
    Plan::wait_until(STEP, reason, message, world.now.checked_add(AGAIN).ok())
}
