//! Why an action failed.

use crate::{kms, kubernetes};

/// Why an action failed; the world is looked at anew after a pause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or was not reached.
    #[error("{0}")]
    Kubernetes(#[from] kubernetes::Error),
    /// Calls about keys failed, one entry a key; the other keys' calls were carried out.
    #[error("{}", lines(.0))]
    Keys(Vec<kms::write::Error>),
    /// Another replica leads.
    #[error("this replica does not hold the lease; nothing was written")]
    NotLeading,
    /// A blob could not be bound or stored.
    #[error("sealed blob: {0}")]
    Blob(String),
    /// An object of a name that this cluster needs was made by somebody else.
    #[error("{0}")]
    NotOurs(String),
    /// What was kept of a release's template is gone since the look.
    #[error("what was kept of the template of release {0} is gone; looking again")]
    TemplateLost(String),
    /// The look that the order rests on is too old: chambers may have changed since.
    #[error("it took too long from looking at the chambers to the order; looking again")]
    LookTooOld,
    /// An object that the operator makes could not be written down.
    #[error("object: {0}")]
    Object(#[from] serde_json::Error),
}

impl Error {
    /// What the order was for has another version now, or is gone: the order was not taken.
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Kubernetes(error) => error.is_stale(),
            Self::LookTooOld | Self::TemplateLost(_) => true,
            _ => false,
        }
    }

    /// Something changed since the look: the order that met it was not taken, and looking again is all there is to do.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if error.is_conflict())
    }

    /// Only keys refused, and not for a time: everything that does not need them goes on.
    pub fn is_refusal_of_keys(&self) -> bool {
        matches!(self, Self::Keys(errors) if errors.iter().all(|error| !error.passes()))
    }

    /// Whether time alone may cure it.
    pub fn passes(&self) -> bool {
        match self {
            Self::Kubernetes(error) => error.passes(),
            Self::Keys(errors) => errors.iter().all(kms::write::Error::passes),
            Self::NotLeading | Self::LookTooOld | Self::TemplateLost(_) => true,
            Self::Blob(_) | Self::NotOurs(_) | Self::Object(_) => false,
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(error.into())
    }
}

fn lines(errors: &[kms::write::Error]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
