//! The operator's own metrics, and its logs.

mod calls;
mod clusters;
mod line;
mod process;

use std::time::Duration;

use chamber_api::ChamberCluster;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use rollover::Action;

use crate::settings::Settings;
use clusters::Clusters;
use process::Process;

pub use calls::{Asked, Calls, Ended};
pub use line::{Counted, Line};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LawLabels {
    law: u8,
}

/// The operator's own metrics.
pub struct Telemetry {
    registry: Registry,
    actions: Family<ActionLabels, Counter>,
    durations: Family<ActionLabels, Histogram, fn() -> Histogram>,
    orders: Histogram,
    key_reads: Family<ResultLabels, Counter>,
    policy_writes: Family<ResultLabels, Counter>,
    turns: Family<ResultLabels, Counter>,
    turn_durations: Histogram,
    laws_broken: Family<LawLabels, Counter>,
    leading: Gauge,
    calls: Calls,
    line: Line,
    clusters: Clusters,
}

impl Default for Telemetry {
    fn default() -> Self {
        let durations: fn() -> Histogram = || Histogram::new(exponential_buckets(0.005, 2.0, 14));
        let mut telemetry = Self {
            registry: Registry::default(),
            actions: Family::default(),
            durations: Family::new_with_constructor(durations),
            orders: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            key_reads: Family::default(),
            policy_writes: Family::default(),
            turns: Family::default(),
            turn_durations: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            laws_broken: Family::default(),
            leading: Gauge::default(),
            calls: Calls::default(),
            line: Line::default(),
            clusters: Clusters::default(),
        };
        telemetry.register();
        telemetry
    }
}

impl Telemetry {
    fn register(&mut self) {
        self.registry
            .register_collector(Box::new(Process::default()));
        let registry = self.registry.sub_registry_with_prefix("chamber_operator");
        registry.register(
            "actions",
            "Actions by kind and result",
            self.actions.clone(),
        );
        registry.register(
            "action_seconds",
            "Duration of actions",
            self.durations.clone(),
        );
        registry.register(
            "order_age_seconds",
            "From the look at the chambers to the answer to the order that rests on it",
            self.orders.clone(),
        );
        registry.register(
            "key_reads",
            "Readings of a key (state, tags, policy)",
            self.key_reads.clone(),
        );
        registry.register(
            "policy_writes",
            "PutKeyPolicy with its reads",
            self.policy_writes.clone(),
        );
        registry.register(
            "reconciles",
            "Reconciliations of a ChamberCluster by result",
            self.turns.clone(),
        );
        registry.register(
            "reconcile_seconds",
            "Duration of reconciliations",
            self.turn_durations.clone(),
        );
        self.line.register(registry);
        self.calls.register(registry);
        registry.register(
            "laws_broken",
            "Actions that were stopped because they would break a law",
            self.laws_broken.clone(),
        );
        registry.register(
            "leading",
            "1 while this replica leads",
            self.leading.clone(),
        );
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The operator's version", Info::new(version));
        registry.register_collector(Box::new(self.clusters.clone()));
    }

    /// From now on the resources of these watches are told of.
    pub fn watch(&self, stores: Vec<Store<ChamberCluster>>) {
        self.clusters.watch(stores);
    }

    /// Where calls to the API server and to AWS are counted.
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Where the line before the workers is told of.
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// An action ended.
    pub fn action(&self, action: &Action, done: bool, took: Duration) {
        let labels = ActionLabels {
            action: action.into(),
            result: result(done),
        };
        self.actions.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// An order that rests on the chambers was answered, so long after they were looked at.
    pub fn ordered(&self, age: Duration) {
        self.orders.observe(age.as_secs_f64());
    }

    /// A key was read.
    pub fn key_read(&self, done: bool) {
        self.key_reads
            .get_or_create(&ResultLabels {
                result: result(done),
            })
            .inc();
    }

    /// A policy was written and read back.
    pub fn policy_written(&self, done: bool) {
        self.policy_writes
            .get_or_create(&ResultLabels {
                result: result(done),
            })
            .inc();
    }

    /// A reconciliation ended.
    pub fn reconciled(&self, done: bool, took: Duration) {
        let result = result(done);
        self.turns.get_or_create(&ResultLabels { result }).inc();
        self.turn_durations.observe(took.as_secs_f64());
    }

    /// The fuse blew.
    pub fn law_broken(&self, law: u8) {
        self.laws_broken.get_or_create(&LawLabels { law }).inc();
    }

    /// Whether this replica leads.
    pub fn leading(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// The exposition for `/metrics`.
    pub fn exposition(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn result(done: bool) -> &'static str {
    if done { "ok" } else { "error" }
}

/// Logs to standard error, as text or JSON.
pub fn log(settings: &Settings) {
    use tracing_subscriber::EnvFilter;
    // What AWS's library warns of holds whole answers; the operator says the same in a line of its own.
    let quiet = |filter: &str| format!("aws_config=error,{filter}");
    let filter =
        EnvFilter::try_new(quiet(&settings.log)).unwrap_or_else(|_| EnvFilter::new(quiet("info")));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.log_format.as_str() {
        "json" => logs.json().init(),
        _ => logs.with_ansi(false).init(),
    }
}
