//! How a turn ends.

use std::time::Duration;

use crate::{act, kubernetes};

/// When a blocked cluster is looked at again: nobody tells when a policy or a Secret changes.
pub(super) const BLOCKED: Duration = Duration::from_secs(15);

/// A turn that could not be ended; the world is looked at anew after a pause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or was not reached.
    #[error("{0}")]
    Kubernetes(#[from] kubernetes::Error),
    /// An action failed.
    #[error("{0}")]
    Act(#[from] act::Error),
    /// An action was done again and again.
    #[error("nothing shows of what was done again and again: {0}; looking again")]
    NoProgress(String),
}

impl Error {
    /// Whether time alone may cure it.
    pub fn passes(&self) -> bool {
        match self {
            Self::Kubernetes(error) => error.passes(),
            Self::Act(error) => error.passes(),
            Self::NoProgress(_) => false,
        }
    }

    /// Whether keys refused what was to change them. They are left alone for a while, and everything else goes on at once.
    pub fn is_refusal_of_keys(&self) -> bool {
        matches!(self, Self::Act(error) if error.is_refusal_of_keys())
    }

    /// What was seen is there no more, or in another version.
    pub(super) fn is_stale(&self) -> bool {
        match self {
            Self::Kubernetes(error) => error.is_stale(),
            Self::Act(error) => error.is_stale(),
            Self::NoProgress(_) => false,
        }
    }
}

/// How a turn ended.
#[derive(Debug)]
pub enum End {
    /// Something was done: look again at once.
    Acted,
    /// The resource is deleted.
    Gone,
    /// Nothing to do for this long.
    Rests(Duration),
}
