//! The files that make a process an enclave of a certain image.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use measurement::Pcr;
use nsm_emulator::{NsmEmulator, Signer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Enclave;

/// The measurement file of an image: what `nitro-cli describe-eif` would print of its EIF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeasurementFile {
    /// PCR0: the whole image.
    pub image_sha384: Pcr,
    /// PCR1: kernel, command line and first ramdisk.
    pub pcr1: Pcr,
    /// PCR2: the other ramdisks.
    pub pcr2: Pcr,
}

/// A security module for this image.
pub fn security_module(enclave: &Enclave) -> anyhow::Result<NsmEmulator> {
    let file: MeasurementFile = serde_json::from_str(&read(&enclave.measurement)?)
        .with_context(|| format!("{}", enclave.measurement.display()))?;
    let signer = Signer::from_json(&Zeroizing::new(read(&enclave.nsm_signer)?))
        .with_context(|| format!("{}", enclave.nsm_signer.display()))?;
    let pcrs = BTreeMap::from([
        (0, *file.image_sha384.as_bytes()),
        (1, *file.pcr1.as_bytes()),
        (2, *file.pcr2.as_bytes()),
    ]);
    Ok(NsmEmulator::new(signer, pcrs))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
