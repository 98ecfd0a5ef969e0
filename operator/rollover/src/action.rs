//! What is to be done: complete orders.

use jiff::Timestamp;
use key_policy::Policy;
use measurement::Measurement;
use strum::{IntoStaticStr, VariantNames};

use crate::tags::Progress;
use crate::{Release, Transition};

/// One thing to do. Each may be repeated without harm.
#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Action {
    /// Write facts that cannot be observed into status.
    Transition(Transition),
    /// Let a deletion of the resource wait for the operator, while policies hold two measurements.
    AddFinalizer,
    /// Let the resource be deleted; where something is left undone, say what.
    RemoveFinalizer(Option<String>),
    /// Tag keys as this cluster's and with how far it has come, before their policy is touched.
    ClaimKeys {
        /// ARNs of the keys.
        arns: Vec<String>,
        /// How far rollovers have come.
        progress: Progress,
        /// Retire has begun: the id of the measurement that stays.
        retired_for: Option<String>,
        /// The tags were lost: since when they are there again.
        healed_at: Option<Timestamp>,
    },
    /// Tag another owner's keys as this cluster's: a person moves them.
    TransferKeys {
        /// ARNs of the keys.
        arns: Vec<String>,
        /// Their owner until now, as [`crate::tags::owner_of`] has it.
        from: String,
    },
    /// Tag keys with the images that are never admitted again.
    TagRevoked {
        /// ARNs of the keys.
        arns: Vec<String>,
        /// The images, as [`crate::tags::prefix`] has them.
        images: Vec<String>,
    },
    /// Write these policies, concurrently; read each again before and after.
    WritePolicies(Vec<KeyWrite>),
    /// Bind the blob, opened with `from`, to `to`, and store it under that measurement's name.
    BindBlob {
        /// A measurement whose blob is there.
        from: Measurement,
        /// The measurement whose blob is missing.
        to: Measurement,
        /// Of both.
        generation: u32,
    },
    /// Start the one-shot pod that makes the master key, on this release.
    StartSeal(Release),
    /// Store the blob that the seal pod offers, under this measurement's name. Never overwrites.
    StoreBlob(Measurement),
    /// Tag keys with the commitment to the master key.
    TagCommitment {
        /// ARNs of the keys.
        arns: Vec<String>,
        /// The commitment, hex.
        commitment: String,
    },
    /// Delete the seal pod.
    RemoveSealPod,
    /// Make the `ReplicaSet` of a release, with no chambers: what comes late makes none.
    MakeSet(Release),
    /// Mark these `ReplicaSets` as this leader's: what an older one has still ordered becomes void.
    Fence(Vec<Fence>),
    /// Set the numbers of chambers of these releases, in one go; each only while its `ReplicaSet` is as it was seen.
    Resize(Vec<Resize>),
    /// Delete these `ReplicaSets`; they have no pods.
    RemoveSets(Vec<String>),
}

/// A policy to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyWrite {
    /// Name of the share.
    pub name: String,
    /// ARN of the key.
    pub arn: String,
    /// The policy that the decision rests on; another one found before writing means look again.
    pub expected: Policy,
    /// The policy to write.
    pub policy: Policy,
    /// Digest of what this cluster's own statements are to say, hex: equal ones are one order, whatever else the policy holds.
    pub content: String,
}

/// A `ReplicaSet` that is marked as this leader's, while it is as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence {
    /// Its name.
    pub name: String,
    /// Its version when it was seen.
    pub version: String,
}

/// A new number of chambers of one release.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// The release.
    pub release: Release,
    /// Version of the `ReplicaSet` that was seen.
    pub version: String,
    /// Chambers before.
    pub from: u32,
    /// Chambers after.
    pub to: u32,
}

impl Action {
    /// Whether the last reading of the keys is void after it.
    pub fn changes_keys(&self) -> bool {
        matches!(
            self,
            Self::ClaimKeys { .. }
                | Self::TransferKeys { .. }
                | Self::TagRevoked { .. }
                | Self::WritePolicies(_)
                | Self::TagCommitment { .. }
        )
    }

    /// Whether the decision is only as good as the reading of the keys.
    pub fn rests_on_keys(&self) -> bool {
        !matches!(
            self,
            Self::RemoveSealPod
                | Self::RemoveSets(_)
                | Self::Fence(_)
                | Self::MakeSet(_)
                | Self::AddFinalizer
                | Self::RemoveFinalizer(_)
                | Self::Transition(
                    Transition::Answered { .. }
                        | Transition::Attested(_)
                        | Transition::Failed { .. }
                        | Transition::FailureForgotten
                        | Transition::TurnedBack
                )
        )
    }
}
