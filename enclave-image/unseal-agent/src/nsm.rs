//! The security module, as narrow as the agent needs it.

use measurement::Pcr;

/// A request that the module did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("security module, {request}: {what}")]
pub struct NsmError {
    /// What it was asked for.
    pub request: &'static str,
    /// What it said.
    pub what: String,
}

/// A Nitro Security Module. Calls block for some milliseconds, so the agent makes them off its event loop.
pub trait Nsm: Send + Sync + 'static {
    /// A signed document of this enclave's PCRs that carries the key (DER `SubjectPublicKeyInfo`, at most 1024 bytes).
    fn attestation_document(&self, public_key_der: &[u8]) -> Result<Vec<u8>, NsmError>;
    /// The value of one register, 0 to 31.
    fn pcr(&self, index: u8) -> Result<Pcr, NsmError>;
    /// Fills `out` with random bytes.
    fn random(&self, out: &mut [u8]) -> Result<(), NsmError>;
}
