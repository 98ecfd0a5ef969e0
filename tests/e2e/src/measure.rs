//! What a process costs, what it asks of KMS, and how old the look is that an order of the operator rests on.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use demo::emulator::AuditEntry;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

/// Clock ticks a second in /proc (Linux, `USER_HZ`).
const TICKS: u64 = 100;

/// A process of the cluster, seen from outside its namespaces.
pub struct Process(u32);

impl Process {
    /// The process whose program has this path.
    pub fn find(program: &str) -> Result<Self> {
        for entry in fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if command.split('\0').next() == Some(program) {
                return Ok(Self(pid));
            }
        }
        anyhow::bail!("no process runs {program}")
    }

    /// Greatest resident memory so far, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Time on a processor so far.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name in parentheses may hold spaces; fields count from behind it.
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }
}

/// The operator's calls on these keys, by operation.
pub fn kms_calls(calls: &[AuditEntry], arns: &[String]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let operator = call
            .principal
            .as_ref()
            .is_some_and(|arn| arn.contains("chamber-operator"));
        if operator && call.key.as_ref().is_some_and(|key| arns.contains(key)) {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
    }
    counts
}

/// Orders that rest on a look at the chambers, from the look to the answer; of all replicas.
#[derive(Default)]
pub struct OrderAges {
    /// How many.
    pub count: f64,
    /// Together.
    pub seconds: f64,
    /// How many took so many seconds at most, as Prometheus counts them.
    within: BTreeMap<String, f64>,
}

impl OrderAges {
    /// As the operator's metrics have them now.
    pub async fn read(client: &Client, namespace: &str) -> Result<Self> {
        let mut ages = Self::default();
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let operators = ListParams::default().labels("app.kubernetes.io/name=chamber-operator");
        for pod in pods.list(&operators).await? {
            let name = pod.name_any();
            // Without a port the first one of the pod is asked, and it has one.
            let uri = format!("/api/v1/namespaces/{namespace}/pods/{name}/proxy/metrics");
            let page = client
                .request_text(Request::get(uri).body(Vec::new())?)
                .await;
            ages.add(&page.with_context(|| format!("metrics of {name}"))?);
        }
        Ok(ages)
    }

    fn add(&mut self, page: &str) {
        let lines = page.lines();
        let ours =
            lines.filter_map(|line| line.strip_prefix("chamber_operator_order_age_seconds_"));
        for (name, value) in ours.filter_map(|line| line.rsplit_once(' ')) {
            let value: f64 = value.parse().unwrap_or_default();
            match name {
                "count" => self.count += value,
                "sum" => self.seconds += value,
                bucket => *self.within.entry(bucket.to_owned()).or_default() += value,
            }
        }
    }

    /// The smallest number of seconds that so many of a hundred stay within, as the histogram tells it.
    pub fn within(&self, percent: f64) -> f64 {
        let enough = self.count * percent / 100.0;
        let buckets = self.within.iter().filter(|(_, count)| **count >= enough);
        let ends = buckets.filter_map(|(bucket, _)| bucket.split('"').nth(1)?.parse().ok());
        ends.fold(f64::INFINITY, f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_of_all_replicas_are_counted_together() {
        let page = "chamber_operator_order_age_seconds_sum 0.5\n\
            chamber_operator_order_age_seconds_count 4\n\
            chamber_operator_order_age_seconds_bucket{le=\"0.005\"} 1\n\
            chamber_operator_order_age_seconds_bucket{le=\"0.25\"} 3\n\
            chamber_operator_order_age_seconds_bucket{le=\"+Inf\"} 4\n\
            chamber_operator_actions_total 7\n";
        let mut ages = OrderAges::default();
        ages.add(page);
        ages.add(page);
        assert!(
            (ages.count - 8.0).abs() < f64::EPSILON && (ages.seconds - 1.0).abs() < f64::EPSILON
        );
        assert!((ages.within(25.0) - 0.005).abs() < f64::EPSILON);
        assert!((ages.within(75.0) - 0.25).abs() < f64::EPSILON);
        assert!(ages.within(99.0).is_infinite());
    }
}
