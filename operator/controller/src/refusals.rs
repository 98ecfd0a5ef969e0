//! Keys that refuse what would change them: the planner leaves them alone for a while, and everything else goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chamber_api::ChamberCluster;
use jiff::Timestamp;
use kube::ResourceExt;
use rollover::{Change, Refusal};
use tokio::time::Instant;

use crate::locked::lock;
use crate::pace::Words;

/// The first pause of a key.
const FIRST: Duration = Duration::from_secs(4);
/// The longest one.
const LONGEST: Duration = Duration::from_mins(1);
/// A failure after so long a time without one is the first of its row: pauses are a minute at most.
const ANEW: Duration = Duration::from_mins(3);
/// What time alone cures, and has not cured for so long, is a refusal: nobody waits for such a key for ever.
const LASTING: Duration = Duration::from_mins(1);

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
    /// When it failed last.
    last: Instant,
    /// None while time alone may cure it.
    until: Option<Instant>,
    change: Change,
    message: String,
}

impl Refusals {
    fn clusters(&self) -> MutexGuard<'_, HashMap<String, Keys>> {
        lock(&self.clusters)
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
                change: entry.change,
                message: entry.message.clone(),
            };
            Some((arn.clone(), refusal))
        })
        .collect()
    }

    /// A key was not changed. Where it refuses it is left alone for as long again as it has refused, within bounds; what
    /// `passes` is tried again at once, until it has lasted for [`LASTING`].
    pub fn failed(
        &self,
        cluster: &ChamberCluster,
        arn: &str,
        (change, message): (Change, String),
        passes: bool,
    ) {
        let now = Instant::now();
        let mut clusters = self.clusters();
        let keys = clusters
            .entry(cluster.uid().unwrap_or_default())
            .or_insert_with(|| Keys {
                words: Words::of(cluster),
                refused: BTreeMap::new(),
            });
        let known = keys.refused.get(arn);
        // What was not tried for a while may have gone well, although no answer said so.
        let known = known.filter(|known| now - known.last < ANEW && known.change == change);
        let since = known.map_or(now, |known| known.since);
        let refuses = !passes || now - since >= LASTING;
        let entry = Entry {
            since,
            last: now,
            until: refuses.then(|| now + (now - since).clamp(FIRST, LONGEST)),
            change,
            message,
        };
        keys.refused.insert(arn.to_owned(), entry);
    }

    /// A key let this be changed.
    pub fn accepted(&self, cluster: &ChamberCluster, arn: &str, change: Change) {
        let uid = cluster.uid().unwrap_or_default();
        if let Some(keys) = self.clusters().get_mut(&uid) {
            let other = |entry: &Entry| entry.change != change;
            keys.refused
                .retain(|refusing, entry| refusing != arn || other(entry));
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
    use crate::pace::tests::cluster;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/a";

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_no_refusal_until_it_has_lasted() {
        let (refusals, cluster, now) = (Refusals::default(), cluster(1), Timestamp::UNIX_EPOCH);
        let fails = |passes| {
            let told = (Change::Policy, "ThrottlingException".to_owned());
            refusals.failed(&cluster, ARN, told, passes);
        };
        fails(true);
        tokio::time::advance(ANEW).await;
        for _ in 0..10 {
            fails(true);
            assert!(refusals.of(&cluster, now).is_empty(), "a row of its own");
            tokio::time::advance(LASTING / 10).await;
        }
        fails(true);
        let refusal = &refusals.of(&cluster, now)[ARN];
        assert_eq!(refusal.until.duration_since(now).as_secs(), 60);
        refusals.accepted(&cluster, ARN, Change::Tags);
        assert!(!refusals.of(&cluster, now).is_empty(), "it took tags");
        refusals.accepted(&cluster, ARN, Change::Policy);
        fails(true);
        assert!(
            refusals.of(&cluster, now).is_empty(),
            "it was changed since"
        );
        fails(false);
        assert!(refusals.of(&cluster, now).contains_key(ARN));
    }
}
