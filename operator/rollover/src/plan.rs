//! What a plan can say.

use jiff::{SignedDuration, Timestamp};
use strum::{Display, IntoStaticStr};

use crate::{Action, Obstacle, Phase, Rollover};

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
