//! The line of `ChamberClusters` before the workers.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// How many wait and how many have their turn; a copy counts into the same.
#[derive(Clone, Debug)]
pub struct Line {
    waiting: Gauge,
    running: Gauge,
    waited: Histogram,
}

/// One that is counted, as long as this is kept.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    fn by(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            waiting: Gauge::default(),
            running: Gauge::default(),
            waited: Histogram::new(exponential_buckets(0.005, 4.0, 9)),
        }
    }
}

impl Line {
    /// Has it told.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "reconciles_waiting",
            "ChamberClusters whose turn has come and that wait for a free worker",
            self.waiting.clone(),
        );
        registry.register(
            "reconciles_running",
            "ChamberClusters that have their turn now",
            self.running.clone(),
        );
        registry.register(
            "reconcile_wait_seconds",
            "How long ChamberClusters waited for a free worker",
            self.waited.clone(),
        );
    }

    /// One more waits.
    pub fn waits(&self) -> Counted {
        Counted::by(&self.waiting)
    }

    /// One more has its turn, after so long.
    pub fn runs(&self, waited: Duration) -> Counted {
        self.waited.observe(waited.as_secs_f64());
        Counted::by(&self.running)
    }
}
