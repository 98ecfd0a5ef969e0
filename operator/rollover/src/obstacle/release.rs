//! A release that failed, or whose image was revoked.

use std::fmt::{self, Display, Formatter};

use crate::{Failure, Reason};

/// Why a release is not run, or cannot stay.
#[derive(Clone, Debug, PartialEq)]
pub enum ReleaseObstacle {
    /// It failed, and `onFailure` is Pause.
    Paused(Failure),
    /// It failed, and the chambers run this one.
    Failed(Failure, String),
    /// The first start makes no progress; why.
    FirstStart(String),
    /// It failed, and there is no way back to this one.
    NoWayBack(String, String),
    /// The return to this one makes no progress; why.
    Return(String, String),
    /// The image of this release is barred; the key whose tag alone says so.
    Barred(String, Option<String>),
    /// The target was revoked, and there is no release to return to.
    RevokedTarget(String),
    /// What runs was revoked.
    RevokedCurrent(String),
    /// Policies of these keys still admit a revoked image; the resource, for the command that prints them.
    StillAdmitted(Vec<String>, String),
}

impl ReleaseObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Paused(_)
            | Self::Failed(..)
            | Self::FirstStart(_)
            | Self::NoWayBack(..)
            | Self::Return(..) => Reason::ReleaseFailed,
            Self::Barred(..)
            | Self::RevokedTarget(_)
            | Self::RevokedCurrent(_)
            | Self::StillAdmitted(..) => Reason::MeasurementRevoked,
        }
    }
}

impl Display for ReleaseObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(failure) => write!(
                f,
                "release {} failed ({}) and spec.rollover.onFailure is Pause: change spec.release, or set the annotation chamber.dev/abort (back) or chamber.dev/retry (again) to a new value",
                failure.revision, failure.why
            ),
            Self::Failed(failure, current) => write!(
                f,
                "release {} failed: {}. The chambers run release {current}. Change spec.release, or set the annotation chamber.dev/retry to a new value to try it again",
                failure.revision, failure.why
            ),
            Self::FirstStart(why) => write!(
                f,
                "the first start makes no progress. {why}. Correct the release or its surroundings"
            ),
            Self::NoWayBack(why, from) => write!(
                f,
                "{why}. Release {from} was revoked, or runs nowhere, so there is no way back: change spec.release"
            ),
            Self::Return(to, why) => write!(
                f,
                "the return to release {to} makes no progress, too. {why}. See why its chambers stay sealed (their logs, the keys, KMS): it goes on by itself when they open"
            ),
            Self::Barred(revision, said) => {
                let said = said.as_ref().map(|key| {
                    format!(
                        " (so says a tag on key {key}, and not enough other keys: ask its holder)"
                    )
                });
                write!(
                    f,
                    "the imageSha384 of release {revision} was revoked{}: name another one in spec.release, or give the revocation up (kubectl chamber unrevoke)",
                    said.unwrap_or_default()
                )
            }
            Self::RevokedTarget(revision) => write!(
                f,
                "release {revision} was revoked and there is no release to return to: change spec.release"
            ),
            Self::RevokedCurrent(revision) => write!(
                f,
                "release {revision} was revoked: its chambers stay sealed when they restart. Change spec.release to another release"
            ),
            Self::StillAdmitted(keys, cluster) => write!(
                f,
                "an image was revoked, and the policy of key {} still admits it: its holder is to take it out (`kubectl chamber plan {cluster} --document <key>` prints the policy)",
                keys.join(", ")
            ),
        }
    }
}
