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

/// What a document is to carry beside the registers; the module takes at most these lengths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentContent {
    /// DER `SubjectPublicKeyInfo`, at most 1024 bytes.
    pub public_key: Option<Vec<u8>>,
    /// At most 512 bytes.
    pub user_data: Option<Vec<u8>>,
    /// At most 512 bytes.
    pub nonce: Option<Vec<u8>>,
}

/// A Nitro Security Module. Calls block for some milliseconds, so the agent makes them off its event loop.
///
/// It signs whatever it is asked to: nobody but the agent gets hold of it, the workload least of all.
pub trait Nsm: Send + Sync + 'static {
    /// A signed document of this enclave's locked registers that carries this.
    fn attestation_document(&self, content: DocumentContent) -> Result<Vec<u8>, NsmError>;
    /// The value of one register, 0 to 31.
    fn pcr(&self, index: u8) -> Result<Pcr, NsmError>;
    /// SHA-384 over a register's value and these bytes becomes its value.
    fn extend(&self, index: u8, bytes: &[u8]) -> Result<(), NsmError>;
    /// The register stays as it is until the enclave's end, and is in documents from now on.
    fn lock(&self, index: u8) -> Result<(), NsmError>;
    /// Fills `out` with random bytes.
    fn random(&self, out: &mut [u8]) -> Result<(), NsmError>;
}
