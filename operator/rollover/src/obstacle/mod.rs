//! Why the operator waits or stops, with what it found: the text in status is its `Display`, and what kstatus is to make
//! of it follows from its kind.

mod blob;
mod chamber;
mod key;
mod release;
mod status;
mod verify;

use std::fmt::{self, Display, Formatter};

use crate::breach::Breach;
use crate::{Action, Outlook, Reason, Share};

pub use blob::{BlobObstacle, Lacks, SealObstacle, Unpinnable};
pub use chamber::{ChamberObstacle, Named};
pub use key::{ClaimObstacle, KeyObstacle};
pub use release::ReleaseObstacle;
pub use status::StatusObstacle;
pub use verify::{Query, VerifyObstacle};

/// Why the operator waits or stops.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    /// `spec.rollover.paused`, or the annotation.
    Paused,
    /// `spec.rollover.dryRun`: what would be done next.
    DryRun(Box<Action>),
    /// The resource is being deleted.
    Deletion(DeletionObstacle),
    /// A key, or its policy.
    Key(Box<KeyObstacle>),
    /// Whose a key is.
    Claim(Box<ClaimObstacle>),
    /// Chambers and their `ReplicaSets`.
    Chamber(Box<ChamberObstacle>),
    /// The sealed blob, and the manifest that it is used under.
    Blob(Box<BlobObstacle>),
    /// The first seal.
    Seal(Box<SealObstacle>),
    /// What proves the target.
    Verify(Box<VerifyObstacle>),
    /// The release: failed, or revoked.
    Release(Box<ReleaseObstacle>),
    /// What status says.
    Status(Box<StatusObstacle>),
    /// What would be done breaks a law: a defect of the operator.
    LawBroken(Box<Breach>),
    /// What is found outside of the planner, in the words of the error's own type: a key that cannot be read, a call that
    /// failed, an object or a resource of others.
    Reported {
        /// Its kind.
        reason: Reason,
        /// What was found, and the cure.
        message: String,
    },
    /// The same, and what is wrong beside it.
    Alongside(Box<Obstacle>, String),
}

impl Obstacle {
    /// What was found elsewhere, in its own words.
    pub fn reported(reason: Reason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Reported { reason, message }
    }

    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Paused => Reason::Paused,
            Self::DryRun(_) => Reason::DryRun,
            Self::Deletion(_) => Reason::Deleting,
            Self::LawBroken(_) => Reason::LawBroken,
            Self::Key(found) => found.reason(),
            Self::Claim(found) => found.reason(),
            Self::Chamber(found) => found.reason(),
            Self::Blob(found) => found.reason(),
            Self::Seal(found) => found.reason(),
            Self::Verify(found) => found.reason(),
            Self::Release(found) => found.reason(),
            Self::Status(found) => found.reason(),
            Self::Reported { reason, .. } => *reason,
            Self::Alongside(found, _) => found.reason(),
        }
    }

    /// Whether waiting for this speaks against the target of the rollover.
    pub fn blames_the_target(&self) -> bool {
        // Sealed: its chambers do not come up, though it is the spec that lacks something. Before that nothing runs.
        let unlisted = match self {
            Self::Blob(found) => matches!(
                **found,
                BlobObstacle::AuthoritiesWanted {
                    sealed: Some(_),
                    ..
                }
            ),
            _ => false,
        };
        unlisted || self.reason().blames_the_target()
    }

    /// What kstatus is to make of it.
    pub fn outlook(&self) -> Outlook {
        self.reason().outlook()
    }
}

impl Display for Obstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str(
                "paused (spec.rollover.paused or the annotation chamber.dev/paused): resume to go on",
            ),
            Self::DryRun(next) => write!(
                f,
                "spec.rollover.dryRun is true; without it the operator {next}. status.plan shows what would change in the policies. Set it to false to go on"
            ),
            Self::Deletion(found) => found.fmt(f),
            Self::LawBroken(breach) => write!(
                f,
                "law {} would be broken: {}. Nothing was done; this is a defect of the operator, please report it",
                breach.law, breach.message
            ),
            Self::Key(found) => found.fmt(f),
            Self::Claim(found) => found.fmt(f),
            Self::Chamber(found) => found.fmt(f),
            Self::Blob(found) => found.fmt(f),
            Self::Seal(found) => found.fmt(f),
            Self::Verify(found) => found.fmt(f),
            Self::Release(found) => found.fmt(f),
            Self::Status(found) => found.fmt(f),
            Self::Reported { message, .. } => f.write_str(message),
            Self::Alongside(found, also) => write!(f, "{found}. Besides: {also}"),
        }
    }
}

/// `From` for each kind, so that a step says what it found and no more.
macro_rules! kinds {
    ($($kind:ident($found:ty)),* $(,)?) => {
        $(impl From<$found> for Obstacle {
            fn from(found: $found) -> Self {
                Self::$kind(found.into())
            }
        })*
    };
}

kinds! {
    Key(KeyObstacle),
    Claim(ClaimObstacle),
    Chamber(ChamberObstacle),
    Blob(BlobObstacle),
    Seal(SealObstacle),
    Verify(VerifyObstacle),
    Release(ReleaseObstacle),
    Status(StatusObstacle),
}

/// What a deletion waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionObstacle {
    /// Nothing of the operator's: Kubernetes removes the resource.
    Requested,
    /// The chambers end.
    Chambers,
}

impl Display for DeletionObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "the resource is being deleted",
            Self::Chambers => "waiting for the chambers to end",
        })
    }
}

/// A key in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// Name of the share.
    pub name: String,
    /// ARN of the key.
    pub arn: String,
}

impl From<&Share> for KeyName {
    fn from(share: &Share) -> Self {
        Self {
            name: share.name.clone(),
            arn: share.arn.clone(),
        }
    }
}

impl Display for KeyName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "key {} ({})", self.name, self.arn)
    }
}
