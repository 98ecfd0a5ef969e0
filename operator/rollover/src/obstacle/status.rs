//! What status says, and nothing else knows of.

use std::fmt::{self, Display, Formatter};

use crate::{Reason, tags};

/// Why status is not believed.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusObstacle {
    /// The target of its rollover is nobody's.
    UnknownTarget(String),
    /// A release that was verified, by its word alone, beside chambers of another one.
    Unproven {
        /// The release that it calls verified.
        current: String,
        /// The `ReplicaSet` with chambers.
        set: String,
        /// Its release.
        revision: String,
    },
    /// A release has another measurement in it than its `ReplicaSet`.
    Mismeasured {
        /// The release.
        revision: String,
        /// The `ReplicaSet`.
        set: String,
    },
    /// A first start, where a release was verified before.
    NotTheFirst {
        /// The release that it calls verified.
        current: String,
        /// The one that is started.
        to: String,
    },
    /// Another release was verified last than the keys' tags say.
    LeftLast {
        /// The release that status calls verified.
        current: String,
        /// The one that the tags name.
        tagged: String,
    },
}

impl StatusObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        Reason::StatusForged
    }
}

impl Display for StatusObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTarget(revision) => write!(
                f,
                "status says that a rollover to release {revision} is in flight, and neither spec.release nor a ReplicaSet knows it: status was written by somebody else. Remove the resource's status, so that what runs is found and recovered"
            ),
            Self::Unproven {
                current,
                set,
                revision,
            } => write!(
                f,
                "status says that release {current} was verified and the one before retired, but ReplicaSet {set} of release {revision} has chambers and no key's tag {} says so: status was written by somebody else. Remove the resource's status, and scale the release that is not wanted to 0",
                tags::ROLLOVER
            ),
            Self::Mismeasured { revision, set } => write!(
                f,
                "status has another measurement of release {revision} than ReplicaSet {set}, which was made from it: status was written by somebody else. Remove the resource's status, and scale the release that is not wanted to 0"
            ),
            Self::NotTheFirst { current, to } => write!(
                f,
                "status says that release {current} was verified, and that the rollover to {to} comes from no release: status was written by somebody else. Remove the resource's status, and scale the release that is not wanted to 0"
            ),
            Self::LeftLast { current, tagged } => write!(
                f,
                "status says that release {current} was verified last, and most keys' tag {} says {tagged}: one of them was written by somebody else. Where it is the tag, ask the keys' holders and remove it; where it is status, remove the resource's status, and scale the release that is not wanted to 0",
                tags::RETIRED_FOR
            ),
        }
    }
}
