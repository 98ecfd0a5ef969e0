//! What was measured, as a table and as one line.

use std::fmt;
use std::time::Duration;

use crate::clusters::{SETTLE, SOAK};
use crate::tally::Tally;

/// The operator while nothing changed.
pub struct Rested {
    /// For so long.
    pub seconds: f64,
    /// Time on a processor.
    pub cpu_ms: f64,
    /// Resident memory at the end.
    pub rss_mib: f64,
    /// Open sockets at the end.
    pub sockets: usize,
    /// Its calls.
    pub calls: Tally,
}

impl Rested {
    /// Thousandths of a processor.
    pub fn cpu_m(&self) -> f64 {
        self.cpu_ms / self.seconds
    }
}

/// The operator while all clusters went to a release.
pub struct Rolled {
    /// From the first write to the last cluster that was settled.
    pub seconds: f64,
    /// What each cluster took, in order.
    pub took: Vec<Duration>,
    /// Time on a processor.
    pub cpu_ms: f64,
    /// Resident memory at the end.
    pub rss_mib: f64,
    /// Open sockets at the end.
    pub sockets: usize,
    /// Queries to Prometheus.
    pub queries: u64,
    /// Its calls.
    pub calls: Tally,
}

impl Rolled {
    /// So many of a hundred clusters took so many seconds at most.
    pub fn within(&self, percent: usize) -> f64 {
        let place = (self.took.len() * percent).div_ceil(100).saturating_sub(1);
        self.took.get(place).map_or(0.0, Duration::as_secs_f64)
    }
}

/// One run.
pub struct Measured {
    /// How many clusters.
    pub clusters: u32,
    /// In so many namespaces.
    pub namespaces: u32,
    /// Resident memory before there was a cluster.
    pub empty_mib: f64,
    /// All clusters were made.
    pub created: Rolled,
    /// They rested; none was due to be read.
    pub quiet: Rested,
    /// The operator was started anew, until every key was read.
    pub restart: Rested,
    /// They rested, and each was read every minute.
    pub often: Rested,
    /// All rolled at once.
    pub roll: Rolled,
}

impl Measured {
    /// A share of one cluster.
    fn each(&self, all: f64) -> f64 {
        all / f64::from(self.clusters)
    }

    /// Resident memory of the settled operator, before or after it was started anew, whichever is more.
    pub fn rss_mib(&self) -> f64 {
        self.quiet.rss_mib.max(self.often.rss_mib)
    }

    /// At rest, with each key read every ten minutes: a tenth of what reading every minute adds.
    pub fn idle_cpu_m(&self) -> f64 {
        let reading = (self.often.cpu_m() - self.quiet.cpu_m()).max(0.0);
        self.quiet.cpu_m() + reading / 10.0
    }

    /// Time on a processor for one rollover.
    pub fn roll_cpu_ms(&self) -> f64 {
        self.each(self.roll.cpu_ms)
    }

    /// Requests to the API server for one rollover, without watches, Events and Leases.
    pub fn requests(&self) -> f64 {
        self.each(self.roll.calls.requests())
    }

    /// The last line.
    pub fn line(&self) -> String {
        format!(
            "N={} rss_mib={:.1} idle_cpu_m={:.1} roll_cpu_ms={:.1} floor_cpu_ms=- requests={:.1} roll_s={:.1}",
            self.clusters,
            self.rss_mib(),
            self.idle_cpu_m(),
            self.roll_cpu_ms(),
            self.requests(),
            self.roll.seconds
        )
    }

    fn rolled(&self, f: &mut fmt::Formatter<'_>, what: &str, rolled: &Rolled) -> fmt::Result {
        writeln!(
            f,
            "| {what} | {:.1} s (p50 {:.1}, p99 {:.1}, last {:.1}) | {:.1} ms | {:.1} | {} | {:.1} | {:.1} | {:.1} |",
            rolled.seconds,
            rolled.within(50),
            rolled.within(99),
            rolled.within(100),
            self.each(rolled.cpu_ms),
            rolled.rss_mib,
            rolled.sockets,
            self.each(rolled.calls.requests()),
            self.each(rolled.calls.aws.values().sum()),
            self.each(f64::from(u32::try_from(rolled.queries).unwrap_or(u32::MAX))),
        )
    }

    fn rested(&self, f: &mut fmt::Formatter<'_>, what: &str, rested: &Rested) -> fmt::Result {
        writeln!(
            f,
            "| {what} | {:.1} s | {:.1} ms ({:.1} m) | {:.1} | {} | {:.1} | {:.1} | - |",
            rested.seconds,
            self.each(rested.cpu_ms),
            rested.cpu_m(),
            rested.rss_mib,
            rested.sockets,
            self.each(rested.calls.requests()),
            self.each(rested.calls.aws.values().sum()),
        )
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, namespaces, empty) = (self.clusters, self.namespaces, self.empty_mib);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
        writeln!(
            f,
            "{count} clusters in {namespaces} namespaces, one chamber and one key each, settle time {SETTLE}, soak time {SOAK}; empty {empty:.1} MiB; load {load}"
        )?;
        writeln!(
            f,
            "| what | time | CPU a cluster | RSS MiB | sockets | API requests a cluster | KMS and STS calls a cluster | Prometheus queries a cluster |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
        )?;
        self.rolled(f, "create to Settled", &self.created)?;
        self.rested(f, "settled", &self.quiet)?;
        self.rested(f, "restart until all keys are read", &self.restart)?;
        self.rested(f, "settled, keys read every minute", &self.often)?;
        self.rolled(f, "all roll at once", &self.roll)?;
        writeln!(f, "a rollover's requests to the API server, by verb:")?;
        for ((verb, resource), calls) in &self.roll.calls.requests {
            writeln!(f, "  {verb} {resource} {:.2}", self.each(*calls))?;
        }
        writeln!(f, "a rollover's calls to KMS and STS, by operation:")?;
        for (call, calls) in &self.roll.calls.aws {
            writeln!(f, "  {call} {:.2}", self.each(*calls))?;
        }
        Ok(())
    }
}
