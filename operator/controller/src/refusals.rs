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
/// What time alone cures, and has not cured for so long, is a refusal: nobody waits for such a key for ever.
const LASTING: Duration = Duration::from_mins(10);

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
    /// None while time alone may cure it.
    until: Option<Instant>,
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
        let each = keys.flat_map(|keys| &keys.refused);
        each.filter_map(|(arn, entry)| {
            let left = entry.until?.saturating_duration_since(Instant::now());
            let refusal = Refusal {
                since: now.checked_sub(entry.since.elapsed()).unwrap_or(now),
                until: now.checked_add(left).unwrap_or(now),
                message: entry.message.clone(),
            };
            Some((arn.clone(), refusal))
        })
        .collect()
    }

    /// A key was not changed. Where it refuses it is left alone for as long again as it has refused, within bounds; what
    /// `passes` is tried again at once, until it has lasted for [`LASTING`].
    pub fn failed(&self, cluster: &ChamberCluster, arn: &str, message: String, passes: bool) {
        let now = Instant::now();
        let mut clusters = self.clusters();
        let keys = clusters
            .entry(cluster.uid().unwrap_or_default())
            .or_insert_with(|| Keys {
                words: Words::of(cluster),
                refused: BTreeMap::new(),
            });
        let known = keys.refused.get(arn);
        let since = known.map_or(now, |known| known.since);
        let refuses = !passes || now - since >= LASTING;
        let entry = Entry {
            since,
            until: refuses.then(|| now + (now - since).clamp(FIRST, LONGEST)),
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

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/a";

    fn cluster() -> ChamberCluster {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "u", "generation": 1},
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
    async fn what_passes_is_no_refusal_until_it_has_lasted() {
        let (refusals, cluster, now) = (Refusals::default(), cluster(), Timestamp::UNIX_EPOCH);
        let fails =
            |passes| refusals.failed(&cluster, ARN, "ThrottlingException".to_owned(), passes);
        fails(true);
        tokio::time::advance(LASTING.mul_f64(0.9)).await;
        fails(true);
        assert!(refusals.of(&cluster, now).is_empty());
        tokio::time::advance(LASTING.mul_f64(0.1)).await;
        fails(true);
        let refusal = &refusals.of(&cluster, now)[ARN];
        assert_eq!(refusal.until.duration_since(now).as_secs(), 60);
        refusals.accepted(&cluster, ARN);
        fails(true);
        assert!(
            refusals.of(&cluster, now).is_empty(),
            "it was changed since"
        );
        fails(false);
        assert!(refusals.of(&cluster, now).contains_key(ARN));
    }
}
