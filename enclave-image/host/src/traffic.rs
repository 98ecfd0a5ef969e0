//! What passes through the host, in numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::exposition::Page;
use crate::pump::{End, Meter};

/// Counters of relay and ingress, from 0 with the process.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// From the enclave to KMS.
    pub relay: Flow,
    /// From clients to the workload.
    pub ingress: Flow,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            relay: Flow::new("relay"),
            ingress: Flow::new("ingress"),
        }
    }
}

/// Counters of one of them.
#[derive(Debug)]
pub(crate) struct Flow {
    name: &'static str,
    connections: AtomicU64,
    open: AtomicU64,
    /// What went through.
    pub bytes: Meter,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    cut: Mutex<BTreeMap<&'static str, u64>>,
}

/// Counts a connection as open while it lives.
pub(crate) struct Open<'a>(&'a AtomicU64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Flow {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            bytes: Meter::default(),
            refused: Mutex::default(),
            cut: Mutex::default(),
        }
    }

    /// A connection that goes through.
    pub fn opened(&self) -> Open<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(&self.open)
    }

    /// A connection that does not; the 1st, 2nd, 4th, 8th... of each reason is logged, so that a flood fills no log.
    pub fn refused(&self, reason: &'static str, why: impl FnOnce() -> String) {
        let count = increment(&self.refused, reason);
        if count.is_power_of_two() {
            let (flow, why) = (self.name, why());
            tracing::warn!(flow, reason, why, count, "a connection was refused");
        }
    }

    /// How one ended that went through.
    pub fn ended(&self, end: &End) {
        let reason = match end {
            End::Closed => return,
            End::Idle => "idle",
            End::Bytes => "bytes",
            End::Failed(_) => "failed",
        };
        let count = increment(&self.cut, reason);
        if let End::Failed(error) = end
            && count.is_power_of_two()
        {
            tracing::info!(flow = self.name, %error, count, "a connection broke off");
        }
    }

    fn render(&self, page: &mut Page) {
        let name = |what: &str| format!("chamber_{}_{what}", self.name);
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let connections = name("connections_total");
        page.family(&connections, "counter", "Connections that went through.");
        page.sample(&connections, &[], number(&self.connections));
        let open = name("open_connections");
        page.family(&open, "gauge", "Connections that are open.");
        page.sample(&open, &[], number(&self.open));
        let bytes = name("bytes_total");
        let help = "Bytes from who opened the connection (there), and to them (back).";
        page.family(&bytes, "counter", help);
        page.sample(&bytes, &[("direction", "there")], number(&self.bytes.there));
        page.sample(&bytes, &[("direction", "back")], number(&self.bytes.back));
        let refused = name("refused_total");
        let help = "Connections that were refused, by reason.";
        by_reason(page, &refused, help, &self.refused);
        let cut = name("cut_total");
        let help = "Connections that ended before both sides were done, by reason.";
        by_reason(page, &cut, help, &self.cut);
    }
}

impl Traffic {
    /// The samples of both.
    pub fn render(&self, page: &mut Page) {
        self.relay.render(page);
        self.ingress.render(page);
    }
}

fn increment(counters: &Mutex<BTreeMap<&'static str, u64>>, reason: &'static str) -> u64 {
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counters.entry(reason).or_default();
    *count += 1;
    *count
}

fn by_reason(
    page: &mut Page,
    name: &str,
    help: &str,
    counters: &Mutex<BTreeMap<&'static str, u64>>,
) {
    page.family(name, "counter", help);
    let counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    for (reason, count) in counters.iter() {
        page.sample(name, &[("reason", reason)], *count);
    }
}
