//! What a process costs, and what it asks of KMS.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use demo::emulator::AuditEntry;

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
