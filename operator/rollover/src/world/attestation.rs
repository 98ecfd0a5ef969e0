//! What chambers prove of themselves, when they are asked for a document of the security module.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

/// Whether Verify rests on what chambers attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Each chamber of the target must attest.
    Required,
    /// What contradicts stops; silence stops once a release of this cluster has attested.
    Preferred,
    /// Nobody is asked.
    Disabled,
}

/// The answers of the target's chambers.
#[derive(Clone, Debug, PartialEq)]
pub enum Attestations {
    /// They were asked often enough already: they are asked again then.
    Deferred {
        /// When.
        until: Timestamp,
    },
    /// They were asked.
    Asked {
        /// When, by the operator's clock: answers stand for a moment only.
        at: Timestamp,
        /// By pod name; a pod that is missing here was not asked.
        chambers: BTreeMap<String, Attestation>,
    },
}

impl Attestations {
    /// The answers, where they were asked for less than `age` ago; from the future they are of another clock.
    pub fn within(
        &self,
        age: SignedDuration,
        now: Timestamp,
    ) -> Option<&BTreeMap<String, Attestation>> {
        match self {
            Self::Asked { at, chambers } if now.duration_since(*at).abs() <= age => Some(chambers),
            Self::Asked { .. } | Self::Deferred { .. } => None,
        }
    }
}

/// One chamber's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Attestation {
    /// It proves that this pod runs the release, unsealed.
    Attested {
        /// When it was asked.
        at: Timestamp,
        /// ARNs of the keys whose shares it opened.
        opened: BTreeSet<String>,
        /// Digest of the cluster manifest that it works under, hex; none where its image measures no authority.
        manifest: Option<String>,
    },
    /// It proves something else; what, as a sentence.
    Refused(String),
    /// Nothing that could be judged; why, as a sentence.
    Silent(String),
}
