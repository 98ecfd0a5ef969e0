//! Chambers: releases' `ReplicaSets`, their pods, the seal pod, and what Prometheus says of them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{Release, Resize};

/// A release's `ReplicaSet` and its pods.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// Its version when it was read: it is changed only while that is still its version.
    pub version: String,
    /// No order that an older leader gave can change it any more.
    pub fenced: bool,
    /// The release it runs.
    pub release: Release,
    /// Chambers wanted of it.
    pub replicas: u32,
    /// Its pods, terminating ones too.
    pub chambers: Vec<Chamber>,
}

impl Set {
    /// An order for another number of chambers, while the set is as it was seen.
    pub(crate) fn resized(&self, to: u32) -> Resize {
        Resize {
            release: self.release.clone(),
            version: self.version.clone(),
            from: self.replicas,
            to,
        }
    }

    /// Chambers of it are there, or will be.
    pub fn runs(&self) -> bool {
        self.replicas > 0 || !self.chambers.is_empty()
    }

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
    /// It is being deleted, and should be gone by then.
    pub gone_by: Option<Timestamp>,
    /// Since when it has a node: from then on it is the release's to start.
    pub scheduled_at: Option<Timestamp>,
    /// Why it cannot start, where Kubernetes says so.
    pub failing: Option<Failing>,
    /// Its node.
    pub node: Option<String>,
    /// Why it is sealed, where it was asked: it is told, and decides nothing.
    pub says: Option<Says>,
}

/// Why a chamber is sealed, by its host: the parent instance's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// In its own words.
    pub words: String,
    /// Its image measures an authority, and it was given no manifest to unseal under.
    pub wants_manifest: bool,
}

impl From<&str> for Says {
    fn from(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            wants_manifest: false,
        }
    }
}

impl Chamber {
    /// Unsealed and staying.
    pub fn serves(&self) -> bool {
        self.unsealed_since.is_some() && !self.terminating()
    }

    /// What it says of itself, with its name.
    pub(crate) fn words(&self) -> Option<(String, String)> {
        Some((self.name.clone(), self.says.as_ref()?.words.clone()))
    }

    /// It is being deleted.
    pub fn terminating(&self) -> bool {
        self.gone_by.is_some()
    }
}

/// Why a chamber cannot start, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq)]
pub enum Failing {
    /// Its image or its template: that speaks against the release.
    Release(String),
    /// No node has room for it: that says nothing about the release.
    Unschedulable(String),
}

/// The one-shot pod of the first seal. Ours is the one whose owner is this resource, by uid.
#[derive(Clone, Debug, PartialEq)]
pub enum SealPod {
    /// Not there.
    Absent,
    /// A pod of its name that this resource does not own, or that is not as it was made: which, as a sentence.
    Foreign(String),
    /// Ours, but made for another release or another spec.
    Outdated,
    /// At work.
    Running {
        /// When it was made.
        since: Timestamp,
        /// Why its host does not say how far it is, where it does not.
        unanswered: Option<String>,
    },
    /// It does not start: what Kubernetes says.
    Stuck(String),
    /// It is being deleted.
    Ending {
        /// It should be gone by then.
        by: Timestamp,
        /// Its node.
        node: Option<String>,
    },
    /// It ended without a blob.
    Failed {
        /// When it ended.
        at: Timestamp,
        /// What it said.
        message: String,
        /// Its image measures an authority, and it was given no manifest.
        wants_manifest: bool,
    },
    /// It offers a blob that fits the spec.
    Offers {
        /// Commitment to the master key that it made, hex.
        commitment: String,
    },
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
    /// Prometheus is asked enough already: this cluster's turn comes then.
    Deferred {
        /// Its turn.
        until: Timestamp,
    },
    /// By pod name; a pod that is missing here has no sample.
    Known {
        /// How far back `rejected` counts.
        window: SignedDuration,
        /// By pod name.
        pods: BTreeMap<String, PodMetrics>,
    },
}

/// One pod's metrics. An absent value is unknown, never zero. All times are of the clock that Prometheus stamps with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodMetrics {
    /// Successful unseals since its start.
    pub unsealed: Option<f64>,
    /// When that was sampled.
    pub sampled_at: Option<Timestamp>,
    /// The sample that shows it unsealed when the window began.
    pub unsealed_before: Option<Timestamp>,
    /// Rejected attestations within the window.
    pub rejected: Option<f64>,
    /// Shares that it opened, by ARN of the key, with the time of the sample. Managed sealing only.
    pub opened: BTreeMap<String, Timestamp>,
}
