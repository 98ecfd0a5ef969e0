//! Everything that a decision may see.

mod attestation;
mod chamber;
mod key;
mod object;
mod owner;
mod record;
mod spec;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use measurement::Pcr;

use crate::{Reason, tags};

pub use attestation::{Attestation, Attestations, Gate};
pub use chamber::{Blob, Chamber, Failing, Metrics, PodMetrics, Says, SealPod, Set};
pub use key::{Key, KeyFacts, KeyState, Reading, Readings};
pub use object::{Object, ObjectProblem};
pub use owner::{Owner, external_id};
pub use record::{CONFLICTS, Failure, PersistedState, Phase, Rollover, Written};
pub use spec::{
    Deletion, DriftPolicy, FIRST_GENERATION, Manifest, OnFailure, Release, Share, Spec, Verbs,
    blob_id,
};

/// One look at everything.
#[derive(Clone, Debug)]
pub struct World {
    /// The time of the look.
    pub now: Timestamp,
    /// What the user declares.
    pub spec: Spec,
    /// What only status knows.
    pub record: PersistedState,
    /// What the keys said when they were read last, by ARN.
    pub readings: Readings,
    /// The `ReplicaSets`, one per release, with their pods.
    pub sets: Vec<Set>,
    /// Revisions of which is kept what their `ReplicaSet` was made from.
    pub templates: BTreeSet<String>,
    /// Chambers whose `ReplicaSet` is gone.
    pub orphans: Vec<Chamber>,
    /// Objects of ours that are not as they should be, or whose names others have.
    pub objects: Vec<ObjectProblem>,
    /// The one-shot pod of the first seal.
    pub seal_pod: SealPod,
    /// The blobs that were looked for, by [`Release::blob_id`]; one that is missing here is absent.
    pub blobs: BTreeMap<String, Blob>,
    /// Which keys a stored blob needs, where those are not the spec's: the blob says what is live.
    pub other_keys: Option<String>,
    /// What speaks against the target's blob by the cluster manifest: who sealed it, and for which keys.
    pub manifest_objection: Option<String>,
    /// What the sealed blob does not show of its sealing, as a sentence that goes on after its name.
    pub blob_lacks: Option<String>,
    /// The chambers' metrics, once looked at.
    pub metrics: Option<Metrics>,
    /// What the target's chambers attest, once they were asked.
    pub attestations: Option<Attestations>,
    /// How many unsealed chambers every disruption budget allows to stop now, once looked at.
    pub budget: Option<u32>,
    /// Deletion of the resource waits for the operator.
    pub finalizer: bool,
    /// An older claim to the cluster id or a key.
    pub ownership_conflict: Option<OwnershipConflict>,
    /// Number and target ([`tags::retired_for`]) of the rollover whose Retire this process itself has begun: it need not be
    /// proven to it again.
    pub retire_witnessed: Option<(u64, String)>,
    /// Keys that refused what would have changed them, by ARN.
    pub refusals: BTreeMap<String, Refusal>,
}

/// KMS refused a call that would have changed a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Since when it refuses, without a success between.
    pub since: Timestamp,
    /// Not tried again before.
    pub until: Timestamp,
    /// What was to be changed.
    pub change: Change,
    /// Key, call, code and cure, in a line.
    pub message: String,
}

/// What is changed of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its tags: what they would remember is in status, too, and on other keys.
    Tags,
    /// Its policy.
    Policy,
}

/// An older claim to something that only one cluster may have.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnershipConflict {
    /// `DuplicateClusterId` or `DuplicateKey`.
    pub reason: Reason,
    /// Who claims what.
    pub message: String,
}

impl World {
    /// A look at keys alone: no chambers, no blobs, nothing asked of Prometheus.
    pub fn of_keys(now: Timestamp, spec: Spec, record: PersistedState, readings: Readings) -> Self {
        Self {
            now,
            spec,
            record,
            readings,
            sets: Vec::new(),
            templates: BTreeSet::new(),
            orphans: Vec::new(),
            objects: Vec::new(),
            seal_pod: SealPod::Absent,
            blobs: BTreeMap::new(),
            other_keys: None,
            manifest_objection: None,
            blob_lacks: None,
            metrics: None,
            attestations: None,
            budget: None,
            finalizer: false,
            ownership_conflict: None,
            retire_witnessed: None,
            refusals: BTreeMap::new(),
        }
    }

    /// The keys of the spec with their readings, in its order.
    pub fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        self.spec.shares.iter().map(|share| Key {
            share,
            reading: self.readings.get(&share.arn).unwrap_or(&Reading::Unread),
        })
    }

    /// Whether a key was not read since the operator started.
    pub fn any_unread(&self) -> bool {
        self.keys()
            .any(|key| matches!(key.reading, Reading::Unread))
    }

    /// Whether every key was read at most `age` ago; a reading from the future was made before the clock was set back.
    pub fn keys_fresh(&self, age: SignedDuration) -> bool {
        self.read_times().is_some_and(|times| {
            times.into_iter().all(|read_at| {
                let past = self.now.duration_since(read_at);
                past <= age && past >= -age
            })
        })
    }

    /// The oldest reading of any key; none where one was never read.
    pub fn oldest_reading(&self) -> Option<Timestamp> {
        self.read_times()?.into_iter().min()
    }

    /// Whether the keys were never read, longer ago than the drift interval, or in a future that the clock was set back from.
    pub fn drift_is_due(&self) -> bool {
        self.oldest_reading().is_none_or(|read_at| {
            let past = self.now.duration_since(read_at);
            past > self.spec.drift_interval || past.is_negative()
        })
    }

    fn read_times(&self) -> Option<Vec<Timestamp>> {
        let read = self.keys().map(|key| match key.reading {
            Reading::Unread => None,
            Reading::Failed { read_at, .. } => Some(*read_at),
            Reading::Facts(facts) => Some(facts.read_at),
        });
        read.collect()
    }

    /// The keys with their shares; readings that failed are left out.
    pub fn facts(&self) -> impl Iterator<Item = (&Share, &KeyFacts)> {
        self.keys().filter_map(|key| match key.reading {
            Reading::Facts(facts) => Some((key.share, facts.as_ref())),
            Reading::Unread | Reading::Failed { .. } => None,
        })
    }

    /// The share of a key.
    pub fn share(&self, arn: &str) -> Option<&Share> {
        self.spec.shares.iter().find(|share| share.arn == arn)
    }

    /// The `ReplicaSet` of a revision.
    pub fn set(&self, revision: &str) -> Option<&Set> {
        self.sets
            .iter()
            .find(|set| set.release.revision == revision)
    }

    /// Every pod of a chamber, whoever owns it.
    pub fn chambers(&self) -> impl Iterator<Item = &Chamber> {
        self.sets
            .iter()
            .flat_map(|set| &set.chambers)
            .chain(&self.orphans)
    }

    /// Unsealed chambers that are not terminating, of all releases.
    pub fn unsealed(&self) -> u32 {
        self.sets.iter().map(Set::unsealed).sum()
    }

    /// Whether an image may not come into a policy: status or any key says that it was revoked, and nobody gave that up.
    pub fn barred(&self, image: &Pcr) -> bool {
        (self.record.revoked.contains(image) || self.bars(image).is_some())
            && !self.spec.verbs.asks_to_unrevoke(image)
    }

    /// The first key whose tags say that an image was revoked.
    pub fn bars(&self, image: &Pcr) -> Option<&Share> {
        let mut facts = self.facts();
        let (share, _) = facts.find(|(_, facts)| tags::revokes(&facts.tags, image))?;
        Some(share)
    }

    /// Whether a key refuses at the moment what would change it.
    pub fn refuses(&self, arn: &str) -> bool {
        self.refusal(arn).is_some()
    }

    /// Whether a key refuses at the moment another policy. One that takes no tags may still take that.
    pub fn refuses_policy(&self, arn: &str) -> bool {
        let refusal = self.refusal(arn);
        refusal.is_some_and(|refusal| refusal.change == Change::Policy)
    }

    /// The refusal that keeps a key from being changed at the moment.
    pub fn refusal(&self, arn: &str) -> Option<&Refusal> {
        let refusal = self.refusals.get(arn);
        refusal.filter(|refusal| self.now < refusal.until)
    }

    /// The failure, where it is of the release that the spec names now.
    pub fn failed(&self) -> Option<&Failure> {
        self.record
            .failure
            .as_ref()
            .filter(|failure| failure.revision == self.spec.release.revision)
    }
}
