//! The module as an enclave sees it: registers, random bytes, documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;

use crate::{AttestRequest, NsmError, Signer, document};

/// Locked at boot, and so in every document, set or not.
const LOCKED_AT_BOOT: std::ops::Range<u8> = 0..16;
/// Registers that there are; 16 and above are the application's.
pub const REGISTERS: u8 = 32;

/// One enclave's security module.
pub struct NsmEmulator {
    signer: Signer,
    registers: Mutex<Registers>,
    module_id: String,
}

struct Registers {
    values: BTreeMap<u8, [u8; 48]>,
    locked: BTreeSet<u8>,
}

impl NsmEmulator {
    /// A module with these registers, which are locked; the others of 0 to 15 are zero and locked, those above are
    /// zero and open, as on the real one.
    pub fn new(signer: Signer, pcrs: BTreeMap<u8, [u8; 48]>) -> Self {
        let mut values: BTreeMap<u8, [u8; 48]> = (0..REGISTERS).map(|at| (at, [0; 48])).collect();
        let locked = LOCKED_AT_BOOT.chain(pcrs.keys().copied()).collect();
        values.extend(pcrs);
        let module_id = module_id(signer.certificate());
        Self {
            signer,
            registers: Mutex::new(Registers { values, locked }),
            module_id,
        }
    }

    /// The same module with another id, such as that of an instance that Kubernetes knows.
    #[must_use]
    pub fn with_module_id(mut self, module_id: String) -> Self {
        self.module_id = module_id;
        self
    }

    /// A signed document: untagged `COSE_Sign1`, ES384. It has the locked registers only.
    pub fn attest(&self, request: &AttestRequest) -> Result<Vec<u8>, NsmError> {
        request.check()?;
        let timestamp = request.timestamp_ms.unwrap_or_else(now_ms);
        let registers = self.lock_registers();
        let shown = registers.locked.iter();
        let shown = shown.filter_map(|at| Some((*at, *registers.values.get(at)?)));
        document::encode(
            &self.signer,
            &self.module_id,
            timestamp,
            &shown.collect(),
            request,
        )
    }

    /// The value of one register, 48 bytes, locked or not.
    pub fn pcr(&self, index: u8) -> Result<[u8; 48], NsmError> {
        let registers = self.lock_registers();
        let value = registers.values.get(&index);
        value.copied().ok_or(NsmError::InvalidIndex(index))
    }

    /// `ExtendPCR`: SHA-384 over the value and these bytes becomes the value, which is answered.
    pub fn extend(&self, index: u8, bytes: &[u8]) -> Result<[u8; 48], NsmError> {
        let mut registers = self.lock_registers();
        if registers.locked.contains(&index) {
            return Err(NsmError::ReadOnlyIndex(index));
        }
        let value = registers.values.get_mut(&index);
        let value = value.ok_or(NsmError::InvalidIndex(index))?;
        let extended = digest::digest(&digest::SHA384, &[&value[..], bytes].concat());
        value.copy_from_slice(extended.as_ref());
        Ok(*value)
    }

    /// `LockPCR`: from now on the register is in documents, and cannot be extended.
    pub fn lock(&self, index: u8) -> Result<(), NsmError> {
        let mut registers = self.lock_registers();
        if !registers.values.contains_key(&index) {
            return Err(NsmError::InvalidIndex(index));
        }
        if !registers.locked.insert(index) {
            return Err(NsmError::ReadOnlyIndex(index));
        }
        Ok(())
    }

    /// `LockPCRs`: the registers below `range`, of which any may be locked already.
    pub fn lock_below(&self, range: u16) -> Result<(), NsmError> {
        match u8::try_from(range) {
            Ok(range) if range <= REGISTERS => {
                self.lock_registers().locked.extend(0..range);
                Ok(())
            }
            _ => Err(NsmError::InvalidRange(range)),
        }
    }

    /// The registers that are locked, as `DescribeNSM` tells them.
    pub fn locked(&self) -> BTreeSet<u8> {
        self.lock_registers().locked.clone()
    }

    /// The module's id: `i-<instance>-enc<enclave>`.
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// Fills `out` with random bytes.
    pub fn random(&self, out: &mut [u8]) -> Result<(), NsmError> {
        aws_lc_rs::rand::fill(out).map_err(|_| NsmError::Crypto("random bytes"))
    }

    fn lock_registers(&self) -> MutexGuard<'_, Registers> {
        // Every change is a single assignment, so a panic elsewhere leaves nothing half done.
        self.registers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The instance that every emulated module is on; test clusters give their nodes its id.
pub const INSTANCE: &str = "i-0123456789abcdef0";

/// `i-<instance>-enc<enclave>`, made from the certificate so that one signer is one module.
fn module_id(certificate: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, certificate);
    let hex: String = hash
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("{INSTANCE}-enc{}", &hex[..16])
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
}
