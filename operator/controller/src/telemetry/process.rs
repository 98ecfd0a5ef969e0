//! What every process tells of itself, under the names of Prometheus' client libraries.
//!
//! Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use std::fmt;

use procfs::process::{LimitValue, Process as Found};
use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// This process, as the kernel has it at each scrape; nothing where that cannot be read.
#[derive(Debug)]
pub struct Process {
    /// Seconds since 1970; looked at once, because the time of boot follows a clock that is set.
    booted_at: Option<u64>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            booted_at: boot_time_secs().ok(),
        }
    }
}

/// Numbers of one look.
struct Look {
    cpu_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    started_after_boot: f64,
    open_files: f64,
    most_files: Option<f64>,
}

impl Look {
    fn now() -> ProcResult<Self> {
        let process = Found::myself()?;
        let stat = process.stat()?;
        let seconds = |ticks: u64| float(ticks) / float(ticks_per_second());
        Ok(Self {
            cpu_seconds: seconds(stat.utime + stat.stime),
            resident_bytes: float(stat.rss) * float(page_size()),
            virtual_bytes: float(stat.vsize),
            threads: float(stat.num_threads.unsigned_abs()),
            started_after_boot: seconds(stat.starttime),
            open_files: float(process.fd_count()? as u64),
            most_files: match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(most) => Some(float(most)),
                LimitValue::Unlimited => None,
            },
        })
    }
}

/// Whole up to 2^53: more than any of these numbers comes to.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating-point numbers"
)]
const fn float(number: u64) -> f64 {
    number as f64
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(look) = Look::now() else {
            return Ok(());
        };
        let cpu = ConstCounter::new(look.cpu_seconds);
        let what = "Time on processors, of user and system";
        let one =
            encoder.encode_descriptor("process_cpu_seconds", what, None, cpu.metric_type())?;
        cpu.encode(one)?;
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Memory that is in RAM",
                Some(look.resident_bytes),
            ),
            (
                "process_virtual_memory_bytes",
                "Memory that is mapped",
                Some(look.virtual_bytes),
            ),
            ("process_threads", "Threads", Some(look.threads)),
            (
                "process_start_time_seconds",
                "When the process started, since 1970",
                self.booted_at
                    .map(|boot| float(boot) + look.started_after_boot),
            ),
            (
                "process_open_fds",
                "File descriptors in use",
                Some(look.open_files),
            ),
            (
                "process_max_fds",
                "File descriptors at most; absent where there is no bound",
                look.most_files,
            ),
        ];
        for (name, what, value) in gauges {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            let one = encoder.encode_descriptor(name, what, None, gauge.metric_type())?;
            gauge.encode(one)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_of_this_process() {
        let before = Look::now().unwrap();
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        let booted_at = Process::default().booted_at.unwrap();
        let age = now.as_secs_f64() - float(booted_at) - before.started_after_boot;
        // The kernel tells when it booted in whole seconds.
        assert!((-2.0..3600.0).contains(&age), "{age} s old");
        assert!(before.resident_bytes > 100_000.0 && before.virtual_bytes >= before.resident_bytes);
        assert!(before.threads >= 1.0);
        // Other tests of this process open and close a few meanwhile.
        let files: Vec<_> = (0..200)
            .map(|_| std::fs::File::open("/proc/self/stat").unwrap())
            .collect();
        let mut after = Look::now().unwrap();
        assert!(after.open_files >= before.open_files + 100.0);
        assert!(after.most_files.is_none_or(|most| most >= after.open_files));
        while after.cpu_seconds <= before.cpu_seconds {
            after = Look::now().unwrap();
        }
        drop(files);
    }
}
