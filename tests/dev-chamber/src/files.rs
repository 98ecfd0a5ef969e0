//! The files that make a process an enclave of a certain image, and those that test worlds are made of.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use attestation::Root;
use cluster_manifest::Authority;
use measurement::Pcr;
use nsm_emulator::{NsmEmulator, Signer};
use serde::{Deserialize, Serialize};
use unseal_agent::Trust;
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
    /// PCR8: the certificate that the image is signed with, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcr8: Option<Pcr>,
    /// Public keys (PEM) of the authorities that the image measures; none is an image that believes its host.
    #[serde(default)]
    pub authorities: Vec<String>,
}

/// A security module for this image, and what the image believes.
pub fn security_module(enclave: &Enclave) -> anyhow::Result<(NsmEmulator, Trust)> {
    let name = enclave.measurement.display();
    let file: MeasurementFile =
        serde_json::from_str(&read(&enclave.measurement)?).with_context(|| format!("{name}"))?;
    let signer = Signer::from_json(&Zeroizing::new(read(&enclave.nsm_signer)?))
        .with_context(|| format!("{}", enclave.nsm_signer.display()))?;
    let authorities = file.authorities.iter().map(|pem| Authority::from_pem(pem));
    let trust = Trust {
        root: test_root(&signer)?,
        authorities: authorities
            .collect::<Result<_, _>>()
            .with_context(|| format!("{name}: authorities"))?,
    };
    let mut pcrs = BTreeMap::from([
        (0, *file.image_sha384.as_bytes()),
        (1, *file.pcr1.as_bytes()),
        (2, *file.pcr2.as_bytes()),
    ]);
    pcrs.extend(file.pcr8.map(|pcr| (8, *pcr.as_bytes())));
    Ok((NsmEmulator::new(signer, pcrs), trust))
}

/// The root that the signer's own chain begins with: what stands for AWS's here.
fn test_root(signer: &Signer) -> anyhow::Result<Root> {
    let der = signer.cabundle().first();
    let der = der.context("the signer's cabundle is empty")?;
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()));
    Ok(Root::from_pem(&pem)?)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// A new file, or an old one with this content, with these permissions from its first byte on.
pub fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}
