//! What is asked of the numbers.

use crate::measured::Measured;

/// Memory with up to a thousand settled clusters, also after a restart.
const RSS_MIB: f64 = 64.0;
/// CPU at rest with up to a thousand clusters whose keys are read every ten minutes.
const IDLE_CPU_M: f64 = 8.0;
/// Requests to the API server for a rollover of one chamber and one key.
const REQUESTS: f64 = 40.0;
/// The slowest of a hundred clusters, in times of the median.
const SPREAD: f64 = 3.0;

/// The goals that are missed, each with its number.
pub fn missed(measured: &Measured) -> Vec<String> {
    let (p50, p99) = (measured.roll.within(50), measured.roll.within(99));
    let goals = [
        ("memory, MiB", measured.rss_mib(), RSS_MIB),
        ("CPU at rest, m", measured.idle_cpu_m(), IDLE_CPU_M),
        ("API requests a rollover", measured.requests(), REQUESTS),
        ("p99 of the time to Settled, in p50", p99 / p50, SPREAD),
        (
            "API writes while settled",
            measured.quiet.calls.writes() + measured.often.calls.writes(),
            0.0,
        ),
        (
            "API writes of a restart",
            measured.restart.calls.writes(),
            0.0,
        ),
    ];
    let missed = goals.into_iter().filter(|(_, found, goal)| found > goal);
    let clusters = measured.clusters;
    missed
        .map(|(what, found, goal)| format!("N={clusters}: {what}: {found:.1}, goal {goal:.0}"))
        .collect()
}
