//! Who signs an image: a key in a file, or one that stays in KMS.

mod certificate;
mod file;
#[cfg(feature = "kms")]
mod kms;

use std::path::{Path, PathBuf};

use anyhow::Context;
use measurement::Pcr;
use measurement::eif;

pub use certificate::Certificate;

/// Where the key is.
#[derive(Clone, Debug)]
pub enum Key {
    /// A file with PKCS#8 PEM.
    File(PathBuf),
    /// A key in KMS, of the usage `SIGN_VERIFY` and the kind `ECC_NIST_P384`.
    Kms(String),
}

/// The signature section for an image with this PCR0. The signature is verified with the certificate before.
pub fn sign(pcr0: &Pcr, key: &Key, certificate: &Certificate) -> anyhow::Result<Vec<u8>> {
    let message = eif::to_be_signed(pcr0)?;
    let signature = match key {
        Key::File(path) => file::sign(path, &message)?,
        Key::Kms(arn) => by_kms(arn, &message)?,
    };
    certificate.verify(&message, &signature)?;
    Ok(eif::signature_section(pcr0, certificate.pem(), &signature)?)
}

#[cfg(feature = "kms")]
fn by_kms(arn: &str, message: &[u8]) -> anyhow::Result<Vec<u8>> {
    kms::sign(arn, message)
}

#[cfg(not(feature = "kms"))]
fn by_kms(_: &str, _: &[u8]) -> anyhow::Result<Vec<u8>> {
    anyhow::bail!("--kms-key: this eif-build was built without the feature \"kms\"")
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
