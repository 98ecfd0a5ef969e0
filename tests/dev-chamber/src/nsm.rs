//! The emulated security module as the agent's [`Nsm`].

use measurement::Pcr;
use nsm_emulator::{AttestRequest, NsmEmulator};
use unseal_agent::{Nsm, NsmError};

/// The emulator behind the agent's trait.
pub struct EmulatedNsm(pub NsmEmulator);

impl Nsm for EmulatedNsm {
    fn attestation_document(&self, public_key_der: &[u8]) -> Result<Vec<u8>, NsmError> {
        let request = AttestRequest {
            public_key: Some(public_key_der.to_vec()),
            ..AttestRequest::default()
        };
        self.0.attest(&request).map_err(failed("Attestation"))
    }

    fn pcr(&self, index: u8) -> Result<Pcr, NsmError> {
        match self.0.pcrs().get(&index) {
            Some(bytes) => Ok(Pcr::from_bytes(*bytes)),
            None => Err(NsmError {
                request: "DescribePCR",
                what: format!("no register {index}"),
            }),
        }
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
