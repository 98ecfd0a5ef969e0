//! What stands for AWS's roots: of the security modules, and of KMS's TLS. Images measure them, so they are kept.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// The files that `dev-chamber roots` writes. Holds private keys: no Debug.
#[derive(Clone)]
pub struct Roots {
    /// Root of the security modules, PEM.
    pub nsm: String,
    /// Key and certificates of one security module, as chambers read them.
    pub nsm_signer: String,
    /// `tls` of the KMS emulator's configuration.
    pub kms_tls: Value,
}

impl Roots {
    /// From the folder of the images.
    pub fn load(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let file = folder.join(name);
            std::fs::read_to_string(&file)
                .with_context(|| format!("{}: build the images first", file.display()))
        };
        Ok(Self {
            nsm: read("nsm-root.pem")?,
            nsm_signer: read("nsm-signer.json")?,
            kms_tls: serde_json::from_str(&read("kms-tls.json")?).context("kms-tls.json")?,
        })
    }
}
