//! `measurements.json`: what `kubectl chamber describe-eif -o json` prints of the image, what it was built of, and what
//! a release says of it.

use anyhow::{Context, bail};
use cluster_manifest::Authority;
use measurement::eif::Description;
use pem::Pem;
use serde_json::{Value, json};

/// What the image file does not say by itself.
pub struct About<'a> {
    /// Such as 6.12.117.
    pub kernel_version: &'a str,
    /// SHA-256 of the bzImage, hex.
    pub kernel_sha256: String,
    /// SHA-256 of all its options, hex.
    pub kernel_config_sha256: Option<String>,
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// The authorities that were built in.
    pub authorities: &'a [Authority],
}

/// The file's content, for a description of the finished image.
pub fn json(description: &Description, about: &About<'_>) -> anyhow::Result<Value> {
    if let Err(error) = &description.files {
        bail!("the finished image cannot be described: {error}");
    }
    if !description.crc_matches {
        bail!("the finished image has a wrong checksum");
    }
    let mut json = description.to_json();
    let members = json.as_object_mut().context("a description is an object")?;
    members.insert(
        "Build".to_owned(),
        json!({
            "KernelVersion": about.kernel_version,
            "KernelSha256": about.kernel_sha256,
            "KernelConfigSha256": about.kernel_config_sha256,
            "CommandLine": about.cmdline,
        }),
    );
    members.insert(
        "Release".to_owned(),
        release(description, about.authorities),
    );
    Ok(json)
}

/// The registers as `spec.release.measurement` of a `ChamberCluster` names them, and the authorities' keys (PEM).
fn release(description: &Description, authorities: &[Authority]) -> Value {
    let keys = authorities.iter();
    let keys = keys.map(|one| pem::encode_config(&Pem::new("PUBLIC KEY", one.der()), crate::LINES));
    let mut release = json!({
        "imageSha384": description.pcr0,
        "pcr1": description.pcr1,
        "pcr2": description.pcr2,
        "authorities": keys.collect::<Vec<_>>(),
    });
    if let Some(pcr8) = description.pcr8 {
        release["pcr8"] = json!(pcr8);
    }
    release
}
