//! How often a cluster has its turn when turns fail.
//!
//! A failed turn is followed by a pause that grows. `kube-runtime` takes the earlier of that pause and the next
//! event, and the turn's own status is such an event: so the pause is kept here, and a turn that
//! comes before its end is sent away, unless a person changed the resource.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chamber_api::ChamberCluster;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::locked::lock;

/// The shortest pause, half of it before the first doubling.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause after what time alone may cure.
const PASSING: Duration = Duration::from_secs(15);
/// The longest pause after what needs a cure.
const LASTING: Duration = Duration::from_mins(1);

/// How often each cluster has its turn, by uid of the resource.
#[derive(Debug, Default)]
pub struct Pace {
    clusters: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// Failed turns in a row.
    failures: u32,
    held: Option<(Instant, Words)>,
}

/// What a person says on the resource: where it changes, a pause is over.
#[derive(Debug, PartialEq)]
pub struct Words {
    generation: Option<i64>,
    annotations: BTreeMap<String, String>,
    deleted: bool,
}

impl Words {
    /// What is said on the resource as it is.
    pub fn of(cluster: &ChamberCluster) -> Self {
        Self {
            generation: cluster.metadata.generation,
            annotations: cluster.annotations().clone(),
            deleted: cluster.metadata.deletion_timestamp.is_some(),
        }
    }
}

impl Pace {
    fn clusters(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        lock(&self.clusters)
    }

    /// What is left of a pause that holds for this resource as it is now.
    pub fn left(&self, cluster: &ChamberCluster) -> Option<Duration> {
        let clusters = self.clusters();
        let entry = clusters.get(&cluster.uid().unwrap_or_default())?;
        let (until, words) = entry.held.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero() && *words == Words::of(cluster)).then_some(left)
    }

    /// A turn failed: the number of failures in a row, and the pause, which grows with it.
    pub fn failed(&self, cluster: &ChamberCluster, passes: bool) -> (u32, Duration) {
        let mut clusters = self.clusters();
        let entry = clusters
            .entry(cluster.uid().unwrap_or_default())
            .or_default();
        entry.failures = entry.failures.saturating_add(1);
        let grown = FIRST * 2_u32.saturating_pow(entry.failures.min(7));
        let pause = grown.min(if passes { PASSING } else { LASTING });
        entry.held = Some((Instant::now() + pause, Words::of(cluster)));
        (entry.failures, pause)
    }

    /// The next turn comes after this pause, and not before.
    pub fn hold(&self, cluster: &ChamberCluster, pause: Duration) {
        let mut clusters = self.clusters();
        let entry = clusters
            .entry(cluster.uid().unwrap_or_default())
            .or_default();
        entry.held = Some((Instant::now() + pause, Words::of(cluster)));
    }

    /// A turn went well, or the resource is gone.
    pub fn clear(&self, cluster: &ChamberCluster) {
        self.clusters().remove(&cluster.uid().unwrap_or_default());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A resource in this generation.
    pub(crate) fn cluster(generation: i64) -> ChamberCluster {
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "u", "generation": generation},
            "spec": {
                "clusterId": "one",
                "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": []},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }))
        .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_minute_and_to_less_where_time_cures() {
        let pace = Pace::default();
        let pauses: Vec<_> = (0..8)
            .map(|_| pace.failed(&cluster(1), false).1.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pace.failed(&cluster(1), true).1, PASSING);
        pace.clear(&cluster(1));
        assert_eq!(pace.failed(&cluster(1), true), (1, Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_status_does_not_end_a_pause_and_a_person_does() {
        let pace = Pace::default();
        let seen = cluster(1);
        assert_eq!(pace.left(&seen), None);
        let (_, pause) = pace.failed(&seen, false);
        let mut written = seen.clone();
        written.metadata.resource_version = Some("2".into());
        written.status = Some(chamber_api::ChamberClusterStatus::default());
        assert_eq!(pace.left(&written), Some(pause));
        assert_eq!(pace.left(&cluster(2)), None, "the spec changed");
        let mut asked = seen.clone();
        asked
            .annotations_mut()
            .insert("chamber.dev/retry".into(), "1".into());
        assert_eq!(pace.left(&asked), None, "a person asks for something");
        tokio::time::advance(pause).await;
        assert_eq!(pace.left(&written), None, "the pause is over");
    }
}
