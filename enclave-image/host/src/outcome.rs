//! The end of the host's work.

/// How the host's work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `shutdown` came, and the enclave has ended.
    Stopped,
    /// The agent has sealed, or wrapped the shares anew, and `shutdown` came after it.
    Sealed {
        /// The sealed blob, base64.
        blob: String,
        /// The commitment, hex.
        commitment: String,
    },
    /// The agent could do neither.
    SealFailed {
        /// Why.
        message: String,
    },
}
