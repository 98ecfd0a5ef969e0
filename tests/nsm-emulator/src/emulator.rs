//! The module as an enclave sees it: registers, random bytes, documents.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;

use crate::{AttestRequest, NsmError, Signer, document};

/// Registers that every document lists, set or not (0 to 15 are locked at boot).
const ALWAYS_LISTED: std::ops::Range<u8> = 0..16;

/// One enclave's security module.
pub struct NsmEmulator {
    signer: Signer,
    pcrs: BTreeMap<u8, [u8; 48]>,
    module_id: String,
}

impl NsmEmulator {
    /// A module with these registers; the others of 0 to 15 are zero, as on the real one.
    pub fn new(signer: Signer, pcrs: BTreeMap<u8, [u8; 48]>) -> Self {
        let mut all: BTreeMap<u8, [u8; 48]> = ALWAYS_LISTED.map(|index| (index, [0; 48])).collect();
        all.extend(pcrs);
        let module_id = module_id(signer.certificate());
        Self {
            signer,
            pcrs: all,
            module_id,
        }
    }

    /// A signed document: untagged `COSE_Sign1`, ES384.
    pub fn attest(&self, request: &AttestRequest) -> Result<Vec<u8>, NsmError> {
        request.check()?;
        let timestamp = request.timestamp_ms.unwrap_or_else(now_ms);
        document::encode(
            &self.signer,
            &self.module_id,
            timestamp,
            &self.pcrs,
            request,
        )
    }

    /// Every register by index, 48 bytes each.
    pub fn pcrs(&self) -> &BTreeMap<u8, [u8; 48]> {
        &self.pcrs
    }

    /// Fills `out` with random bytes.
    pub fn random(&self, out: &mut [u8]) -> Result<(), NsmError> {
        aws_lc_rs::rand::fill(out).map_err(|_| NsmError::Crypto("random bytes"))
    }
}

/// `i-<instance>-enc<enclave>`, made from the certificate so that one signer is one module.
fn module_id(certificate: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, certificate);
    let hex: String = hash
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("i-{}-enc{}", &hex[..17], &hex[17..33])
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
}
