//! Why an enclave ends.

use std::io;

use unseal_agent::{AgentError, NsmError};

/// What nothing in the enclave can cure. It goes to the console as one line, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The system refused something that every image needs.
    #[error("{what}: {error}")]
    System {
        /// What was tried: path, device or port.
        what: String,
        /// The system's answer.
        error: io::Error,
    },
    /// The security module failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// The security module's documents are not believed here.
    #[error(
        "/dev/nsm: {0}; this image trusts another root than this machine's security module has"
    )]
    Untrusted(attestation::Rejected),
    /// A root of trust cannot be read.
    #[error("root of trust: {0}")]
    Root(String),
    /// No host came.
    #[error("no host connected to vsock port {port} within {seconds} s of the start")]
    NoHost {
        /// The port.
        port: u32,
        /// How long it was waited, in seconds.
        seconds: u64,
    },
    /// The agent's session with its host failed.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl Fatal {
    /// For `map_err`: what was tried when the system refused.
    pub(crate) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        |error| Self::System {
            what,
            error: error.into(),
        }
    }
}
