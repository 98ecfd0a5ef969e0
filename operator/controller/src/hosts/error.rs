//! Why a host gives no answer, in one line that stays the same.

use crate::prometheus::innermost;

/// Why a host gives no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The pod has no address yet.
    #[error("its pod has no address")]
    Address,
    /// The template names no port.
    #[error("container enclave of its pod has no port named metrics")]
    Port,
    /// No connection, or none in time.
    #[error("its port metrics gives no answer: {0}")]
    Connection(String),
    /// Anything but 200.
    #[error("its host answers HTTP {code}{}", meaning(*code))]
    Status {
        /// HTTP status.
        code: u16,
    },
    /// Too much of it.
    #[error("its host answers with more than {0} bytes")]
    Size(usize),
    /// No answer of ours.
    #[error("its host answers with something else than was asked for")]
    Foreign,
}

impl Error {
    /// By its innermost cause: the address is the pod's, and no news.
    pub(super) fn lost(error: &reqwest::Error) -> Self {
        Self::Connection(innermost(error))
    }
}

/// What a status means where it is not plain.
fn meaning(code: u16) -> &'static str {
    match code {
        404 | 405 => ": its image is too old to attest",
        409 => ": it attests for somebody else at the moment",
        503 => ": its enclave gives no document in time",
        _ => "",
    }
}
