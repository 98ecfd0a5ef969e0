//! The sealed blob, the cluster manifest, and the first seal.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;

use crate::{Reason, tags};

/// What is wrong with the sealed blob, or with the manifest that it is used under.
#[derive(Clone, Debug, PartialEq)]
pub enum BlobObstacle {
    /// It is gone; what shows that there was one.
    Lost(String),
    /// It does not fit the spec; why.
    Unsound(String),
    /// It needs other keys than the spec names: which, as a sentence.
    OtherKeys(String),
    /// There is none of the generation that a release's manifest names.
    OtherGeneration {
        /// Revision of the release.
        revision: String,
        /// Its generation.
        wanted: u32,
        /// The generation before, where there is one.
        stored: Option<u32>,
        /// The Secret that is missing.
        secret: String,
    },
    /// Two commitments: the Secret's, and who says another one.
    TwoMasterKeys {
        /// Of the sealed Secret.
        commitment: String,
        /// Who says another one.
        who: String,
        /// The other one.
        other: String,
    },
    /// No seal of this cluster made the Secret with this commitment.
    NotOurs(String),
    /// The image does nothing without a manifest, and there is none that it would believe.
    ManifestWanted {
        /// Revision of the release.
        revision: String,
        /// Fingerprints of the authorities that it measures.
        authorities: Vec<String>,
        /// What is missing, and what to sign.
        lacks: Lacks,
        /// The resource, for the command that prints what to sign.
        cluster: String,
    },
    /// The image measures an authority, and the spec names none, so nobody was asked for a manifest.
    AuthoritiesWanted {
        /// Revision of the release.
        revision: String,
        /// By whose word.
        who: String,
        /// Commitment of the master key, where it is sealed.
        sealed: Option<String>,
        /// The resource, for the command that prints what to sign.
        cluster: String,
    },
    /// The manifest is of another master key: its commitment, and the sealed one.
    ManifestOfAnother(String, String),
    /// The manifest does not fit the sealed blob; why.
    ManifestMisfit(String),
    /// The pin of PCR16 would not protect, or would keep chambers out.
    Unpinnable(Unpinnable),
}

/// What the spec's manifest lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// There is none, and nothing is sealed.
    Permit,
    /// There is none, and the master key has this commitment.
    Run(String),
    /// None of those who signed it is an authority of the image.
    Belief(Vec<String>),
    /// It is a permit, and the master key of this commitment is sealed.
    Commitment(String),
    /// It is a run manifest, and nothing is sealed.
    Seal,
}

/// Why PCR16 cannot be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpinnable {
    /// The image measures no authority.
    NoAuthority,
    /// Profile Standard does not bind everybody.
    Standard,
}

impl BlobObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Lost(_) => Reason::BlobLost,
            Self::Unsound(_)
            | Self::OtherKeys(_)
            | Self::OtherGeneration { .. }
            | Self::TwoMasterKeys { .. } => Reason::BlobMismatch,
            Self::NotOurs(_) => Reason::NotOurs,
            Self::ManifestWanted { .. } | Self::AuthoritiesWanted { .. } => Reason::ManifestWanted,
            Self::ManifestOfAnother(..) | Self::ManifestMisfit(_) => Reason::ManifestMismatch,
            Self::Unpinnable(_) => Reason::InvalidSpec,
        }
    }
}

impl Display for BlobObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(evidence) => write!(
                f,
                "the master key was sealed before ({evidence}), but its sealed Secret is gone. Restore the Secret from your copy; it is never sealed anew"
            ),
            Self::Unsound(why) => f.write_str(why),
            Self::OtherKeys(found) => write!(
                f,
                "{found}. The blob says which keys are live, so nothing is written for other ones: put spec.keys back to the blob's, or restore the Secret from your copy where it is not this cluster's"
            ),
            Self::OtherGeneration {
                revision,
                wanted,
                stored,
                secret,
            } => {
                write!(
                    f,
                    "release {revision} is of generation {wanted} by spec.manifest, and no Secret {secret} is there"
                )?;
                match stored {
                    Some(stored) => write!(
                        f,
                        " (generation {stored} is): binding makes no other generation. Restore that generation's blob with `kubectl chamber blob import`, or put spec.manifest back to generation {stored}"
                    ),
                    None => f.write_str(
                        ": a seal makes generation 1. Restore that generation's blob with `kubectl chamber blob import`, or sign a manifest of generation 1",
                    ),
                }
            }
            Self::TwoMasterKeys {
                commitment,
                who,
                other,
            } => write!(
                f,
                "a sealed Secret holds the commitment {commitment}, {who} says {other}: they are of two master keys. Delete the Secret that is not of this cluster and restore the one that fits the keys"
            ),
            Self::NotOurs(commitment) => write!(
                f,
                "a sealed Secret of this cluster's name is there (commitment {commitment}), and no seal of this cluster made it. Delete it where it is somebody else's; where it is your copy of this cluster's, say so: give one of its keys the tag {}={commitment}",
                tags::COMMITMENT
            ),
            Self::ManifestWanted {
                revision,
                authorities,
                lacks,
                cluster,
            } => write!(
                f,
                "spec.manifest: release {revision} measures the authorities [{}], so its chambers need a cluster manifest, and {lacks}. `kubectl chamber manifest render {cluster}` prints what to sign",
                authorities.join(", ")
            ),
            Self::AuthoritiesWanted {
                revision,
                who,
                sealed,
                cluster,
            } => {
                let sign = match sealed {
                    Some(commitment) => format!("a run manifest with the commitment {commitment}"),
                    None => "a seal permit".to_owned(),
                };
                write!(
                    f,
                    "spec.release.authorities is empty, and by the word of {who} the image of release {revision} measures an authority, so its chambers need a cluster manifest. Write the `authorities` of the image's measurement file there, and take none from anywhere else; then sign {sign}: `kubectl chamber manifest render {cluster}` prints it. Where that file names no authority the word is wrong: delete the pod that gave it, and look at its node"
                )
            }
            Self::ManifestOfAnother(named, sealed) => write!(
                f,
                "spec.manifest names the commitment {named}, the sealed master key of this cluster has {sealed}: sign a run manifest with that one, and find out whose the other one is"
            ),
            Self::ManifestMisfit(objection) => write!(
                f,
                "spec.manifest does not fit the sealed blob: {objection}. No chamber that measures an authority would unseal it"
            ),
            Self::Unpinnable(Unpinnable::NoAuthority) => f.write_str(
                "spec.keys.policy.pins has PCR16, and spec.release.authorities is empty: an image that measures no authority locks nothing in PCR16, so the keys would refuse its chambers. Name its authorities, or take the pin out first",
            ),
            Self::Unpinnable(Unpinnable::Standard) => f.write_str(
                "spec.keys.policy.pins has PCR16 with profile Standard: an identity policy in the key's account goes past statement 3 there, and with it past the pin. Set spec.keys.policy.profile to Pinned",
            ),
        }
    }
}

impl Display for Lacks {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permit => f.write_str(
                "there is none: sign a seal permit, so that the master key can be made",
            ),
            Self::Run(commitment) => write!(
                f,
                "there is none: sign a run manifest with the commitment {commitment}"
            ),
            Self::Belief(signed_by) => write!(
                f,
                "it is signed by [{}], and none of that is a good signature of an authority of the image: sign it with one of those keys",
                signed_by.join(", ")
            ),
            Self::Commitment(commitment) => write!(
                f,
                "it is a seal permit, and the master key is sealed: sign a run manifest with the commitment {commitment}"
            ),
            Self::Seal => f.write_str(
                "it is a run manifest, and nothing is sealed yet: restore the sealed Secret that it is of, or sign a seal permit",
            ),
        }
    }
}

/// How far the first seal is, or why it does not get on.
#[derive(Clone, Debug, PartialEq)]
pub enum SealObstacle {
    /// The pod is somebody else's: which, as a sentence.
    Foreign(String),
    /// It offers something that is no blob of this cluster; why.
    Invalid(String),
    /// It cannot start; what Kubernetes says.
    Stuck(String),
    /// It failed, and is tried again; what it said.
    Failed(String),
    /// It makes the master key; why its host does not say how far it is, where it does not.
    AtWork(Option<String>),
    /// It is there since then without an answer, and why.
    Overdue(Timestamp, Option<String>),
    /// The one of before is ending.
    Ending,
    /// It should be gone since then; its node.
    NodeLost(Timestamp, Option<String>),
}

impl SealObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Foreign(_) => Reason::NotOurs,
            Self::Invalid(_) => Reason::SealInvalid,
            Self::Stuck(_) | Self::Failed(_) | Self::Overdue(..) => Reason::SealFailed,
            Self::AtWork(_) | Self::Ending => Reason::Sealing,
            Self::NodeLost(..) => Reason::NodeLost,
        }
    }
}

impl Display for SealObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(which) => write!(
                f,
                "{which}. No master key is taken from it: delete that pod, and the operator makes its own"
            ),
            Self::Invalid(why) => write!(
                f,
                "the seal pod offers no blob of this cluster: {why}. Correct the image or the spec, then delete the seal pod"
            ),
            Self::Stuck(why) => write!(
                f,
                "the seal pod cannot start: {why}. Correct spec.release or spec.chambers.template, which replaces the pod, or its surroundings"
            ),
            Self::Failed(message) => {
                write!(f, "the seal pod failed: {message}. It is tried again")
            }
            Self::AtWork(None) => f.write_str("the seal pod makes the master key"),
            Self::AtWork(Some(why)) => write!(
                f,
                "the seal pod makes the master key, as far as anybody can tell: {why}. The operator fetches the sealed blob from there: see that it may reach the pod (NetworkPolicy), and that the pod's image is no older than the operator"
            ),
            Self::Overdue(since, why) => {
                let why = why.as_ref().map(|why| format!(" ({why})"));
                write!(
                    f,
                    "the seal pod is there since {since:.0} without an answer{}, longer than spec.rollover.progressDeadline. Read its log and `kubectl describe pod`, then delete the pod: it is made anew",
                    why.unwrap_or_default()
                )
            }
            Self::Ending => f.write_str("the seal pod of before is ending"),
            Self::NodeLost(by, node) => write!(
                f,
                "the seal pod should be gone since {by:.0}: node {} seems lost. When it is certain that the node is off, delete its Node object or force-delete the pod; a new one is made then",
                node.as_deref().unwrap_or("(none)")
            ),
        }
    }
}
