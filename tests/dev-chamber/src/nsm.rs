//! The emulated security module as the agent's [`Nsm`].

use measurement::Pcr;
use nsm_emulator::{AttestRequest, NsmEmulator};
use unseal_agent::{DocumentContent, Nsm, NsmError};

/// The emulator behind the agent's trait.
pub struct EmulatedNsm(pub NsmEmulator);

impl Nsm for EmulatedNsm {
    fn attestation_document(&self, content: DocumentContent) -> Result<Vec<u8>, NsmError> {
        let request = AttestRequest {
            public_key: content.public_key,
            user_data: content.user_data,
            nonce: content.nonce,
            timestamp_ms: None,
        };
        self.0.attest(&request).map_err(failed("Attestation"))
    }

    fn pcr(&self, index: u8) -> Result<Pcr, NsmError> {
        let value = self.0.pcr(index).map_err(failed("DescribePCR"))?;
        Ok(Pcr::from_bytes(value))
    }

    fn extend(&self, index: u8, bytes: &[u8]) -> Result<(), NsmError> {
        let extended = self.0.extend(index, bytes).map(|_| ());
        extended.map_err(failed("ExtendPCR"))
    }

    fn lock(&self, index: u8) -> Result<(), NsmError> {
        self.0.lock(index).map_err(failed("LockPCR"))
    }

    fn random(&self, out: &mut [u8]) -> Result<(), NsmError> {
        self.0.random(out).map_err(failed("GetRandom"))
    }
}

fn failed(request: &'static str) -> impl Fn(nsm_emulator::NsmError) -> NsmError {
    move |error| NsmError {
        request,
        what: error.to_string(),
    }
}
