//! `measurements.json`: what `kubectl chamber describe-eif -o json` prints of the image, and what it was built of.

use anyhow::{Context, bail};
use measurement::eif::Description;
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
    Ok(json)
}
