//! What can go wrong while certificates and documents are made.

/// Why the emulator could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NsmError {
    /// A request's member has more bytes than the module takes (its `InputTooLarge`).
    #[error("{field} has {found} bytes, the module takes at most {limit}: shorten it")]
    TooLarge {
        /// The member of the request.
        field: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The greatest length in bytes.
        limit: usize,
    },
    /// No such register (its `InvalidIndex`).
    #[error("there is no register {0}: the module has 0 to 31")]
    InvalidIndex(u8),
    /// More registers than there are (its `InvalidIndex`).
    #[error("cannot lock {0} registers: the module has 32")]
    InvalidRange(u16),
    /// The register is locked (its `ReadOnlyIndex`).
    #[error("register {0} is locked: it can neither be extended nor locked again")]
    ReadOnlyIndex(u8),
    /// A key or certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A signer's file is not what [`crate::Signer::to_json`] writes.
    #[error("signer file, {field}: {what}; write a new one with nsm-test-root")]
    SignerFile {
        /// The member at fault.
        field: &'static str,
        /// What was found.
        what: String,
    },
    /// The operating system's random source or the signing itself failed.
    #[error("{0} failed in the cryptographic library")]
    Crypto(&'static str),
    /// The document could not be written as CBOR.
    #[error("document as CBOR: {0}")]
    Encoding(String),
}
