//! Everything that a decision may see.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use key_policy::{Policy, Template};
use measurement::Measurement;

use crate::Reason;

/// One look at everything.
#[derive(Clone, Debug)]
pub struct World {
    /// The time of the look.
    pub now: Timestamp,
    /// What the user declares.
    pub spec: Spec,
    /// What only status knows.
    pub record: Record,
    /// The keys, in the order of `spec.shares`.
    pub keys: Vec<Key>,
    /// The `ReplicaSets`, one per release, with their pods.
    pub sets: Vec<Set>,
    /// Chambers whose `ReplicaSet` is gone.
    pub strays: Vec<Chamber>,
    /// The one-shot pod of the first seal.
    pub seal_pod: SealPod,
    /// The blobs that were looked for, by measurement id; one that is missing here is absent.
    pub blobs: BTreeMap<String, Blob>,
    /// The chambers' metrics, once looked at.
    pub metrics: Option<Metrics>,
    /// An older claim to the cluster id or a key.
    pub rival: Option<Rival>,
}

/// What the user declares, checked and typed.
#[derive(Clone, Debug)]
pub struct Spec {
    /// `<cluster uid>/<namespace>/<name>`: the owner's tag on the keys.
    pub owner: String,
    /// Name in the enclave role.
    pub cluster_id: String,
    /// The release that the chambers shall run.
    pub release: Release,
    /// Shares that open the master key.
    pub threshold: usize,
    /// The keys.
    pub shares: Vec<Share>,
    /// Chambers wanted.
    pub replicas: u32,
    /// Our agent and blob (true), or the image's own way (false).
    pub managed_sealing: bool,
    /// Chambers that may be missing while rolling.
    pub max_unavailable: u32,
    /// Chambers beyond `replicas` while rolling.
    pub max_surge: u32,
    /// From the last policy write to the first start.
    pub settle_time: SignedDuration,
    /// Time without a rejection before Retire.
    pub soak_time: SignedDuration,
    /// Without progress for this long, the rollover counts as stalled.
    pub progress_deadline: SignedDuration,
    /// Between two readings of settled keys.
    pub drift_interval: SignedDuration,
    /// Stop before the next action.
    pub paused: bool,
}

/// A release in its exact form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Container image.
    pub image: String,
    /// What its enclave attests.
    pub measurement: Measurement,
    /// Name of image, measurement and pod template together.
    pub revision: String,
}

/// One share's key, as the spec names it.
#[derive(Clone, Debug)]
pub struct Share {
    /// Name in messages.
    pub name: String,
    /// ARN of the key.
    pub arn: String,
    /// The operator writes the policy (true), or its holder (false).
    pub managed: bool,
    /// The five statements for this key.
    pub template: Template,
}

/// What only status knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The release that all chambers were verified on last.
    pub current: Option<Release>,
    /// The rollover in flight.
    pub rollover: Option<Rollover>,
    /// Commitment to the master key, hex, since the first seal.
    pub commitment: Option<String>,
}

/// The rollover in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollover {
    /// The release before; none at the first start.
    pub from: Option<Release>,
    /// The target.
    pub to: Release,
    /// When all policies, read back, held both.
    pub admitted_at: Option<Timestamp>,
    /// When Retire began.
    pub retire_begun_at: Option<Timestamp>,
}

impl Rollover {
    /// The measurements that the policies hold while both releases run, old one first.
    pub fn live(&self) -> Vec<Measurement> {
        let mut live: Vec<_> = self
            .from
            .iter()
            .map(|from| from.measurement.clone())
            .collect();
        if live.first() != Some(&self.to.measurement) {
            live.push(self.to.measurement.clone());
        }
        live
    }

    /// Whether Admit and Retire have something to do.
    pub fn changes_measurement(&self) -> bool {
        self.from.as_ref().map(|from| &from.measurement) != Some(&self.to.measurement)
    }
}

/// A key as read.
#[derive(Clone, Debug)]
pub struct Key {
    /// The last reading.
    pub reading: Reading,
}

/// What reading a key gave.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Not read since the operator started.
    Unread,
    /// It could not be read.
    Failed {
        /// When that was tried.
        read_at: Timestamp,
        /// `KeyNotFound` or `KeyUnreadable`.
        reason: Reason,
        /// What KMS or STS said.
        message: String,
    },
    /// It was read.
    Facts(Box<KeyFacts>),
}

/// What a key says of itself.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// When the reading began.
    pub read_at: Timestamp,
    /// Key state.
    pub state: KeyState,
    /// The default policy, or why its text is none.
    pub policy: Result<Policy, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Key state, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Anything else, in KMS's word (Disabled, `PendingDeletion`, ...).
    Other(String),
}

/// A release's `ReplicaSet` and its pods.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// The release it runs.
    pub release: Release,
    /// Chambers wanted of it.
    pub replicas: u32,
    /// Its pods, terminating ones too.
    pub chambers: Vec<Chamber>,
}

impl Set {
    /// Unsealed chambers that are not terminating.
    pub fn unsealed(&self) -> u32 {
        let count = self
            .chambers
            .iter()
            .filter(|chamber| chamber.serves())
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// One chamber's pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Chamber {
    /// Pod name.
    pub name: String,
    /// Revision of its release, from its label.
    pub revision: String,
    /// Id of its measurement, from its label.
    pub measurement_id: String,
    /// Unsealed (ready) since.
    pub unsealed_since: Option<Timestamp>,
    /// Start of its container `enclave`.
    pub started_at: Option<Timestamp>,
    /// It is being deleted.
    pub terminating: bool,
    /// Why it cannot start, where Kubernetes says so.
    pub failing: Option<String>,
    /// Its node.
    pub node: Option<String>,
}

impl Chamber {
    /// Unsealed and staying.
    pub fn serves(&self) -> bool {
        self.unsealed_since.is_some() && !self.terminating
    }
}

/// The one-shot pod of the first seal.
#[derive(Clone, Debug, PartialEq)]
pub enum SealPod {
    /// Not there.
    Absent,
    /// At work, or being deleted.
    Running,
    /// It ended without a blob.
    Failed {
        /// When it ended.
        at: Timestamp,
        /// What it said.
        message: String,
    },
    /// It offers a blob that fits the spec.
    Offers,
    /// It offers something else.
    OffersInvalid(String),
}

/// A sealed Secret that is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Blob {
    /// It opens with its measurement and names the spec's keys.
    Sound {
        /// Commitment to the master key, hex.
        commitment: String,
    },
    /// It does not.
    Unsound(String),
}

/// The chambers' metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Metrics {
    /// Prometheus cannot be asked.
    Unavailable(String),
    /// By pod name; a pod that is missing here has no sample.
    Known {
        /// How far back `rejected` counts.
        window: SignedDuration,
        /// By pod name.
        pods: BTreeMap<String, PodMetrics>,
    },
}

/// One pod's metrics. An absent value is unknown, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodMetrics {
    /// Successful unseals since its start.
    pub unsealed: Option<f64>,
    /// When that was sampled.
    pub sampled_at: Option<Timestamp>,
    /// Rejected attestations within the window.
    pub rejected: Option<f64>,
}

/// An older claim to something that only one cluster may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Rival {
    /// `DuplicateClusterId` or `DuplicateKey`.
    pub reason: Reason,
    /// Who claims what.
    pub message: String,
}

impl World {
    /// Whether every key was read at most `age` ago.
    pub fn keys_fresh(&self, age: SignedDuration) -> bool {
        self.oldest_reading()
            .is_some_and(|read_at| self.now.duration_since(read_at) <= age)
    }

    /// The oldest reading of any key; none where one was never read.
    pub fn oldest_reading(&self) -> Option<Timestamp> {
        let read = self.keys.iter().map(|key| match &key.reading {
            Reading::Unread => None,
            Reading::Failed { read_at, .. } => Some(*read_at),
            Reading::Facts(facts) => Some(facts.read_at),
        });
        read.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// The keys with their shares; readings that failed are left out.
    pub fn facts(&self) -> impl Iterator<Item = (&Share, &KeyFacts)> {
        self.spec
            .shares
            .iter()
            .zip(&self.keys)
            .filter_map(|(share, key)| match &key.reading {
                Reading::Facts(facts) => Some((share, facts.as_ref())),
                Reading::Unread | Reading::Failed { .. } => None,
            })
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
            .chain(&self.strays)
    }

    /// Unsealed chambers that are not terminating, of all releases.
    pub fn unsealed(&self) -> u32 {
        self.sets.iter().map(Set::unsealed).sum()
    }
}
