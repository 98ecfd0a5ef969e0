//! Keys that refuse what would change them: the planner leaves them alone for a while, and everything else goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chamber_api::ChamberCluster;
use jiff::Timestamp;
use kube::ResourceExt;
use rollover::Refusal;
use tokio::time::Instant;

use crate::pace::Words;

/// The first pause of a key.
const FIRST: Duration = Duration::from_secs(4);
/// The longest one.
const LONGEST: Duration = Duration::from_mins(1);

/// What keys refused, by uid of the resource and by ARN.
#[derive(Debug, Default)]
pub struct Refusals {
    clusters: Mutex<HashMap<String, Keys>>,
}

/// One cluster's keys, while nothing is said on the resource that was not said when they refused.
#[derive(Debug)]
struct Keys {
    words: Words,
    refused: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    until: Instant,
    message: String,
}

impl Refusals {
    fn clusters(&self) -> MutexGuard<'_, HashMap<String, Keys>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusals of a cluster's keys, as times of a look at `now`. A change of the resource ends them.
    pub fn of(&self, cluster: &ChamberCluster, now: Timestamp) -> BTreeMap<String, Refusal> {
        let mut clusters = self.clusters();
        let uid = cluster.uid().unwrap_or_default();
        let known = clusters.get(&uid);
        if known.is_some_and(|keys| keys.words != Words::of(cluster)) {
            clusters.remove(&uid);
        }
        let keys = clusters.get(&uid).into_iter();
        let each = keys.flat_map(|keys| &keys.refused).map(|(arn, entry)| {
            let left = entry.until.saturating_duration_since(Instant::now());
            let refusal = Refusal {
                since: now.checked_sub(entry.since.elapsed()).unwrap_or(now),
                until: now.checked_add(left).unwrap_or(now),
                message: entry.message.clone(),
            };
            (arn.clone(), refusal)
        });
        each.collect()
    }

    /// A key refused; it is left alone for as long again as it has refused, within bounds.
    pub fn refused(&self, cluster: &ChamberCluster, arn: &str, message: String) {
        let now = Instant::now();
        let mut clusters = self.clusters();
        let keys = clusters
            .entry(cluster.uid().unwrap_or_default())
            .or_insert_with(|| Keys {
                words: Words::of(cluster),
                refused: BTreeMap::new(),
            });
        let since = keys.refused.get(arn).map_or(now, |known| known.since);
        let entry = Entry {
            since,
            until: now + (now - since).clamp(FIRST, LONGEST),
            message,
        };
        keys.refused.insert(arn.to_owned(), entry);
    }

    /// A key let itself be changed.
    pub fn accepted(&self, cluster: &ChamberCluster, arn: &str) {
        let uid = cluster.uid().unwrap_or_default();
        if let Some(keys) = self.clusters().get_mut(&uid) {
            keys.refused.remove(arn);
        }
    }

    /// The resource is gone.
    pub fn forget(&self, uid: &str) {
        self.clusters().remove(uid);
    }
}
