//! Turns at a time. The line before the workers is the operator's own and not `kube-runtime`'s, so that its length can be told.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::telemetry::{Counted, Line};

/// Clusters of one watch that have their turn at the same time.
const WORKERS: usize = 8;

/// The workers of one watch.
#[derive(Debug)]
pub struct Lane {
    workers: Semaphore,
    line: Line,
}

/// A worker, free again when this is dropped.
#[derive(Debug)]
pub struct Worker<'a> {
    _running: Counted,
    _permit: SemaphorePermit<'a>,
}

impl Lane {
    /// Workers that are free, and tell of themselves there.
    pub fn new(line: Line) -> Self {
        Self {
            workers: Semaphore::new(WORKERS),
            line,
        }
    }

    /// A worker, once one is free; none where the process ends.
    pub async fn worker(&self) -> Option<Worker<'_>> {
        let came = Instant::now();
        let waits = self.line.waits();
        let permit = self.workers.acquire().await.ok()?;
        drop(waits);
        Some(Worker {
            _running: self.line.runs(came.elapsed()),
            _permit: permit,
        })
    }

    /// Nobody gets a worker any more, also of those who wait.
    pub fn close(&self) {
        self.workers.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;
    use crate::telemetry::Telemetry;

    fn value(telemetry: &Telemetry, name: &str) -> String {
        let text = telemetry.exposition().unwrap();
        let start = format!("chamber_operator_{name} ");
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix(&start))
            .unwrap()
            .to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_worker_waits_in_line_and_is_counted() {
        let telemetry = Telemetry::default();
        let lane = Lane::new(telemetry.line());
        let mut working = join_all((0..WORKERS).map(|_| lane.worker())).await;
        assert_eq!(value(&telemetry, "reconciles_running"), "8");
        let mut next = Box::pin(lane.worker());
        assert!((&mut next).now_or_never().is_none());
        assert_eq!(value(&telemetry, "reconciles_waiting"), "1");
        tokio::time::advance(Duration::from_secs(3)).await;
        working.pop();
        let next = next.await;
        assert!(next.is_some());
        let told = |name| value(&telemetry, name);
        assert_eq!(told("reconciles_waiting"), "0");
        assert_eq!(told("reconciles_running"), "8");
        assert_eq!(told("reconcile_wait_seconds_sum"), "3.0");
        drop((working, next));
        assert_eq!(told("reconciles_running"), "0");
    }

    #[tokio::test]
    async fn who_waits_when_the_process_ends_gets_no_turn() {
        let telemetry = Telemetry::default();
        let lane = Lane::new(telemetry.line());
        let working = join_all((0..WORKERS).map(|_| lane.worker())).await;
        let next = lane.worker();
        let ended = async { lane.close() };
        let (next, ()) = futures::join!(next, ended);
        assert!(next.is_none());
        assert_eq!(value(&telemetry, "reconciles_waiting"), "0");
        drop(working);
        assert!(lane.worker().await.is_none());
    }
}
