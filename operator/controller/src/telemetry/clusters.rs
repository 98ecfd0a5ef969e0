//! Every `ChamberCluster` as its status has it, at each scrape: present from the first look of the watch on, also where
//! nothing changes any more, and gone with the resource.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chamber_api::{ChamberCluster, Outcome, ReleaseStatus};
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// The `ChamberCluster`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Name {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepLabels {
    namespace: String,
    name: String,
    step: String,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ConditionLabels {
    namespace: String,
    name: String,
    r#type: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    namespace: String,
    name: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    namespace: String,
    name: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReleaseLabels {
    namespace: String,
    name: String,
    role: &'static str,
    revision: String,
    image: String,
}

/// What the watches hold; nothing before this replica leads.
#[derive(Clone, Default)]
pub struct Clusters(Arc<OnceLock<Vec<Store<ChamberCluster>>>>);

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clusters").finish_non_exhaustive()
    }
}

impl Clusters {
    /// From now on these are read; only the first call counts.
    pub fn watch(&self, stores: Vec<Store<ChamberCluster>>) {
        let _first = self.0.set(stores);
    }

    fn all(&self) -> Vec<Arc<ChamberCluster>> {
        let stores = self.0.get().into_iter().flatten();
        let mut all: Vec<_> = stores.flat_map(Store::state).collect();
        all.sort_by_key(|cluster| (cluster.namespace(), cluster.name_any()));
        all
    }
}

impl Collector for Clusters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.all();
        let encoder = &mut encoder;
        family(
            encoder,
            "step",
            "1 for the step and reason of each ChamberCluster",
            &all,
            step,
        )?;
        let help = "Conditions of each ChamberCluster: 1 where one is True, else 0";
        family(encoder, "condition", help, &all, conditions)?;
        let help = "Chambers wanted, unsealed, and unsealed on the target or current release";
        family(encoder, "chambers", help, &all, chambers)?;
        let help = "Keys of the spec, and those whose policy holds exactly the live releases";
        family(encoder, "keys", help, &all, keys)?;
        let help = "1 for the release that all chambers were verified on last, and for the target of a rollover";
        family(encoder, "release", help, &all, releases)?;
        let help = "Begin of the rollover in flight";
        family(
            encoder,
            "rollover_started_timestamp_seconds",
            help,
            &all,
            started,
        )?;
        let help = "When the rollover in flight moved on last";
        family(
            encoder,
            "rollover_progressed_timestamp_seconds",
            help,
            &all,
            progressed,
        )?;
        let help = "End of the last rollover, by how it ended";
        family(
            encoder,
            "last_rollover_timestamp_seconds",
            help,
            &all,
            ended,
        )?;
        let help = "Duration of the last rollover, by how it ended";
        family(encoder, "last_rollover_seconds", help, &all, lasted)?;
        let help = "End of the last rollover that was completed, among the last five";
        family(
            encoder,
            "last_success_timestamp_seconds",
            help,
            &all,
            succeeded,
        )
    }
}

/// One gauge with a series for each row of each resource.
fn family<L: EncodeLabelSet, R: IntoIterator<Item = (L, i64)>>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    clusters: &[Arc<ChamberCluster>],
    rows: impl Fn(&ChamberCluster) -> R,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for cluster in clusters {
        for (labels, value) in rows(cluster) {
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn name(cluster: &ChamberCluster) -> Name {
    Name {
        namespace: cluster.namespace().unwrap_or_default(),
        name: cluster.name_any(),
    }
}

fn step(cluster: &ChamberCluster) -> Option<(StepLabels, i64)> {
    let status = cluster.status.as_ref()?;
    let Name { namespace, name } = name(cluster);
    let labels = StepLabels {
        namespace,
        name,
        step: status.step.clone().unwrap_or_default(),
        reason: status.reason.clone().unwrap_or_default(),
    };
    Some((labels, 1))
}

fn conditions(cluster: &ChamberCluster) -> Vec<(ConditionLabels, i64)> {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    let row = |condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        let Name { namespace, name } = name(cluster);
        let labels = ConditionLabels {
            namespace,
            name,
            r#type: condition.type_.clone(),
        };
        (labels, i64::from(condition.status == "True"))
    };
    conditions.map(row).collect()
}

fn states<const N: usize>(
    cluster: &ChamberCluster,
    counts: [(&'static str, i64); N],
) -> [(StateLabels, i64); N] {
    counts.map(|(state, count)| {
        let Name { namespace, name } = name(cluster);
        let labels = StateLabels {
            namespace,
            name,
            state,
        };
        (labels, count)
    })
}

fn chambers(cluster: &ChamberCluster) -> [(StateLabels, i64); 3] {
    let status = cluster.status.as_ref();
    let count = |found: Option<i32>| i64::from(found.unwrap_or_default());
    let counts = [
        ("wanted", i64::from(cluster.spec.chambers.replicas)),
        (
            "unsealed",
            count(status.and_then(|status| status.ready_replicas)),
        ),
        (
            "updated",
            count(status.and_then(|status| status.updated_replicas)),
        ),
    ];
    states(cluster, counts)
}

fn keys(cluster: &ChamberCluster) -> [(StateLabels, i64); 2] {
    let keys = cluster.status.iter().flat_map(|status| &status.keys);
    let in_sync = keys.filter(|key| key.in_sync).count();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let all = number(cluster.spec.keys.shares.len());
    states(cluster, [("all", all), ("in_sync", number(in_sync))])
}

fn releases(cluster: &ChamberCluster) -> Vec<(ReleaseLabels, i64)> {
    let Some(status) = cluster.status.as_ref() else {
        return Vec::new();
    };
    let target = status.rollover.as_ref().map(|rollover| &rollover.to);
    let found = [("current", status.current.as_ref()), ("target", target)];
    let row = |(role, release): (_, Option<&ReleaseStatus>)| {
        let Name { namespace, name } = name(cluster);
        let release = release?;
        let image = &release.measurement.image_sha384;
        let labels = ReleaseLabels {
            namespace,
            name,
            role,
            revision: release.revision.clone(),
            image: image.chars().take(10).collect(),
        };
        Some((labels, 1))
    };
    found.into_iter().filter_map(row).collect()
}

fn started(cluster: &ChamberCluster) -> Option<(Name, i64)> {
    let rollover = cluster.status.as_ref()?.rollover.as_ref()?;
    Some((name(cluster), rollover.started_at.0.as_second()))
}

fn progressed(cluster: &ChamberCluster) -> Option<(Name, i64)> {
    let rollover = cluster.status.as_ref()?.rollover.as_ref()?;
    Some((name(cluster), rollover.progressed_at.0.as_second()))
}

fn last(
    cluster: &ChamberCluster,
    value: impl Fn(&chamber_api::RolloverRecord) -> i64,
) -> Option<(OutcomeLabels, i64)> {
    let record = cluster.status.as_ref()?.history.first()?;
    let Name { namespace, name } = name(cluster);
    let labels = OutcomeLabels {
        namespace,
        name,
        outcome: record.outcome.clone(),
    };
    Some((labels, value(record)))
}

fn ended(cluster: &ChamberCluster) -> Option<(OutcomeLabels, i64)> {
    last(cluster, |record| record.ended_at.0.as_second())
}

fn lasted(cluster: &ChamberCluster) -> Option<(OutcomeLabels, i64)> {
    last(cluster, |record| {
        record.ended_at.0.as_second() - record.started_at.0.as_second()
    })
}

fn succeeded(cluster: &ChamberCluster) -> Option<(Name, i64)> {
    let history = &cluster.status.as_ref()?.history;
    let complete = Outcome::Complete.to_string();
    let last = history.iter().find(|record| record.outcome == complete)?;
    Some((name(cluster), last.ended_at.0.as_second()))
}

#[cfg(test)]
mod tests;
