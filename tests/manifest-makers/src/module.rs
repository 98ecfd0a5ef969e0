//! The emulated security module as the agent knows it.

use cluster_manifest::{MANIFEST_REGISTER, Manifest};
use measurement::Pcr;
use nsm_emulator::{AttestRequest, NsmEmulator};
use unseal_agent::{DocumentContent, Nsm, NsmError};

/// A security module without an enclave.
pub struct Module(pub NsmEmulator);

impl Module {
    /// With PCR16 as an enclave locks it that takes this manifest.
    #[must_use]
    pub fn under(self, manifest: &Manifest) -> Self {
        let digest = manifest.digest().unwrap();
        self.extend(MANIFEST_REGISTER, digest.as_bytes()).unwrap();
        self.lock(MANIFEST_REGISTER).unwrap();
        self
    }
}

impl Nsm for Module {
    fn attestation_document(&self, content: DocumentContent) -> Result<Vec<u8>, NsmError> {
        let request = AttestRequest {
            public_key: content.public_key,
            user_data: content.user_data,
            nonce: content.nonce,
            timestamp_ms: None,
        };
        Ok(self.0.attest(&request).unwrap())
    }

    fn pcr(&self, index: u8) -> Result<Pcr, NsmError> {
        Ok(Pcr::from_bytes(self.0.pcr(index).unwrap()))
    }

    fn extend(&self, index: u8, bytes: &[u8]) -> Result<(), NsmError> {
        self.0.extend(index, bytes).unwrap();
        Ok(())
    }

    fn lock(&self, index: u8) -> Result<(), NsmError> {
        self.0.lock(index).unwrap();
        Ok(())
    }

    fn random(&self, out: &mut [u8]) -> Result<(), NsmError> {
        self.0.random(out).unwrap();
        Ok(())
    }
}
