//! What a plan can say.

use jiff::{SignedDuration, Timestamp};
use key_policy::Policy;
use measurement::Measurement;
use strum::{Display, IntoStaticStr, VariantNames};

use crate::tags::Progress;
use crate::{Obstacle, Phase, Release, Rollover, Transition};

/// One of the five steps, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr)]
pub enum Step {
    /// The target's measurement and everything it depends on is known to be sound.
    Measure,
    /// Every key's policy holds the old and the new measurement; the blob is bound for the new one.
    Admit,
    /// The chambers are replaced, one at a time.
    Roll,
    /// Each chamber has unsealed, and no attestation was rejected during the soak time.
    Verify,
    /// Every key's policy holds only the new measurement.
    Retire,
    /// No rollover is in flight.
    Settled,
}

impl Step {
    /// The step that a rollover is known to have reached from its record alone.
    pub fn of(rollover: &Rollover) -> Self {
        match rollover.phase {
            Phase::Admitting => Self::Admit,
            Phase::Admitted { .. } => Self::Roll,
            Phase::Retiring { .. } => Self::Retire,
        }
    }
}

/// What to do next. Carries complete orders: who executes it has nothing left to choose.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one plan a turn is made, and none is stored"
)]
pub enum Plan {
    /// Something must be read first; then plan again.
    Look(Look),
    /// Do this one thing, then look and plan again.
    Act {
        /// The step it belongs to.
        step: Step,
        /// What to do.
        action: Action,
    },
    /// Nothing to do but wait: it goes on by itself.
    Wait {
        /// The step that waits.
        step: Step,
        /// What is waited for.
        obstacle: Obstacle,
        /// When to look again, where no event will tell.
        until: Option<Timestamp>,
    },
    /// Something must be cured, mostly by a person.
    Block {
        /// The step that is stopped.
        step: Step,
        /// What was found, and the cure.
        obstacle: Obstacle,
    },
    /// All is as the spec wants it.
    Settled {
        /// When the keys are to be read again.
        until: Timestamp,
    },
}

/// What must be read before a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// State, tags and policy of every key.
    Keys,
    /// The chambers' metrics; rejections are counted over this window.
    Metrics {
        /// How far back rejections count.
        window: SignedDuration,
    },
    /// What the chambers of a release attest, each asked anew.
    Attestation {
        /// The release's revision.
        revision: String,
    },
    /// The disruption budgets over the chambers.
    Budget,
}

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

impl Plan {
    /// Does one thing.
    pub(crate) fn act(step: Step, action: Action) -> Self {
        Self::Act { step, action }
    }

    /// Waits for an event.
    pub(crate) fn wait(step: Step, obstacle: impl Into<Obstacle>) -> Self {
        Self::wait_until(step, obstacle, None)
    }

    /// Waits for an event or a time.
    pub(crate) fn wait_until(
        step: Step,
        obstacle: impl Into<Obstacle>,
        until: Option<Timestamp>,
    ) -> Self {
        let obstacle = obstacle.into();
        Self::Wait {
            step,
            obstacle,
            until,
        }
    }

    /// Stops until somebody puts something right.
    pub(crate) fn block(step: Step, obstacle: impl Into<Obstacle>) -> Self {
        let obstacle = obstacle.into();
        Self::Block { step, obstacle }
    }

    /// Why it waits or stops, where it does.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        match self {
            Self::Wait { obstacle, .. } | Self::Block { obstacle, .. } => Some(obstacle),
            Self::Look(_) | Self::Act { .. } | Self::Settled { .. } => None,
        }
    }
}
