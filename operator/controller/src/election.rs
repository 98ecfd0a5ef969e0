//! Leader election by a Lease.
//!
//! Own code: the crates that are kept up judge expiry by the wall clock (docs/decisions). Here a
//! lease is expired when it was not *seen to change* for its duration, so clocks need not agree, and
//! every write carries the resource version that was read, so of two candidates one gets a conflict.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::health::Health;
use crate::kubernetes;

/// How long a lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How long the holder acts on one renewal: less than `DURATION` by more than a write may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Between two tries, and the time-out of one.
const RETRY: Duration = Duration::from_secs(2);

/// Whether this replica leads, as a value that expires by itself.
#[derive(Clone, Debug)]
pub struct Lease {
    started: Instant,
    /// Milliseconds after `started` until which the lease is held; 0 is not held.
    held_until: Arc<AtomicU64>,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            held_until: Arc::default(),
        }
    }
}

impl Lease {
    /// Whether an action may begin.
    pub fn is_held(&self) -> bool {
        let now = self.started.elapsed().as_millis();
        u128::from(self.held_until.load(Ordering::SeqCst)) > now
    }

    /// Held until `DEADLINE` after `since`.
    fn hold(&self, since: Instant) {
        let until = since.duration_since(self.started) + DEADLINE;
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.held_until.store(until, Ordering::SeqCst);
    }

    fn release(&self) {
        self.held_until.store(0, Ordering::SeqCst);
    }
}

/// A candidate for one Lease.
pub struct Candidate {
    api: Api<Object>,
    name: String,
    identity: String,
    lease: Lease,
    health: Arc<Health>,
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// A candidate under this name; `identity` must differ between replicas.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: &str,
        health: Arc<Health>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            lease: Lease::default(),
            health,
            seen: None,
        }
    }

    /// The value to check before acting.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Returns when this replica leads.
    pub async fn acquire(&mut self) {
        while !self.attempt().await {
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Renews until the lease is lost, and returns then.
    pub async fn keep(&mut self) {
        while self.lease.is_held() {
            tokio::time::sleep(RETRY).await;
            self.attempt().await;
        }
    }

    /// Gives the lease up, so that the next leader need not wait for it to expire.
    pub async fn resign(&mut self) {
        let led = self.lease.is_held();
        self.lease.release();
        let Ok(Some(mut found)) = self.api.get_opt(&self.name).await else {
            return;
        };
        let spec = found.spec.get_or_insert_default();
        if led && spec.holder_identity.as_deref() == Some(&self.identity) {
            spec.holder_identity = None;
            if let Err(error) = self
                .api
                .replace(&self.name, &PostParams::default(), &found)
                .await
            {
                let error = kubernetes::Error::from(error);
                tracing::warn!(%error, "the lease could not be given up; it expires by itself");
            }
        }
    }

    /// One try to take or renew the lease.
    async fn attempt(&mut self) -> bool {
        // The time before the request: what comes after it can only be shorter.
        let since = Instant::now();
        let written = tokio::time::timeout(RETRY, self.write()).await;
        self.health.turned(matches!(written, Ok(Ok(_))));
        match written {
            Ok(Ok(true)) => {
                self.lease.hold(since);
                true
            }
            Ok(Ok(false)) => {
                self.lease.release();
                false
            }
            Ok(Err(error)) => {
                let error = kubernetes::Error::from(error);
                tracing::warn!(%error, "the lease could not be written");
                false
            }
            Err(_) => {
                tracing::warn!("the lease could not be written in time");
                false
            }
        }
    }

    async fn write(&mut self) -> Result<bool, kube::Error> {
        let Some(mut found) = self.api.get_opt(&self.name).await? else {
            let fresh = Object {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            return won(self.api.create(&PostParams::default(), &fresh).await);
        };
        let version = found.metadata.resource_version.clone().unwrap_or_default();
        let spec = found.spec.take().unwrap_or_default();
        if self.held_by_another(&spec, &version) {
            return Ok(false);
        }
        found.spec = Some(self.spec(Some(spec)));
        won(self
            .api
            .replace(&self.name, &PostParams::default(), &found)
            .await)
    }

    fn held_by_another(&mut self, spec: &LeaseSpec, version: &str) -> bool {
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return false;
        }
        let duration = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(DURATION, Duration::from_secs);
        match &self.seen {
            Some((seen, since)) if seen == version => since.elapsed() <= duration,
            // Seen for the first time: it may have been renewed just now.
            _ => {
                self.seen = Some((version.to_owned(), Instant::now()));
                true
            }
        }
    }

    fn spec(&self, before: Option<LeaseSpec>) -> LeaseSpec {
        let before = before.unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        let ours = before.holder_identity.as_deref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or(0) + i32::from(!ours);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| ours).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

/// A raced write is a conflict, and means that the other one won.
fn won(written: Result<Object, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
