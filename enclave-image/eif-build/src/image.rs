//! An image from its inputs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use aws_lc_rs::digest::{SHA256, digest};
use cluster_manifest::Authority;
use measurement::eif::{self, AUTHORITIES, INIT, Image};
use serde_json::{Value, json};

use crate::ramdisk::Ramdisk;
use crate::signer::{self, Certificate, Key};
use crate::{authorities, kernel, measurements, tree};

/// The path of the user's program.
const WORKLOAD: &str = "workload";
/// The command line that goes with our kernel: one option a line, with the reasons.
const CMDLINE: &str = include_str!("../../kernel/cmdline");
/// Where the agent mounts file systems.
const MOUNT_POINTS: [&str; 3] = ["dev", "proc", "sys"];

/// What an image is built of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The kernel, a bzImage.
    pub kernel: PathBuf,
    /// All of the kernel's options, whose hash is noted.
    pub kernel_config: Option<PathBuf>,
    /// The kernel's command line.
    pub cmdline: String,
    /// The agent.
    pub init: PathBuf,
    /// The user's program.
    pub workload: Option<PathBuf>,
    /// Folder with the user's files.
    pub files: Option<PathBuf>,
    /// Files with public keys of authorities.
    pub authorities: Vec<PathBuf>,
    /// Key and certificate (PEM file) to sign with.
    pub signer: Option<(Key, PathBuf)>,
    /// Name and version that are told of the image, and not measured.
    pub name: String,
    /// See `name`.
    pub version: String,
}

/// An image and what is to be known of it.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image file.
    pub eif: Vec<u8>,
    /// The content of `measurements.json`.
    pub measurements: Value,
    /// Fingerprints of the authorities that the image believes.
    pub authorities: Vec<String>,
    /// Whether it has a program of the user's.
    pub has_workload: bool,
}

/// Builds an image. What it says of it is read from the finished file, as `describe-eif` does.
pub fn build(inputs: &Inputs) -> anyhow::Result<Built> {
    let kernel = read(&inputs.kernel)?;
    let version = kernel::version(&kernel);
    let version = version.with_context(|| format!("{} is no bzImage", inputs.kernel.display()))?;
    let authorities = authorities::read(&inputs.authorities)?;
    let user = user_ramdisk(inputs, &authorities)?;
    let ramdisks = [first_ramdisk(&inputs.init)?.pack()?, user.pack()?];
    let metadata = metadata(inputs, &version).to_string();
    let image = Image {
        kernel: &kernel,
        cmdline: &inputs.cmdline,
        ramdisks: &ramdisks,
        metadata: &metadata,
    };
    let [pcr0, ..] = image.registers();
    let signature = match &inputs.signer {
        Some((key, path)) => Some(signer::sign(&pcr0, key, &Certificate::read(path)?)?),
        None => None,
    };
    let mut file = Vec::new();
    eif::write(&image, signature.as_deref(), &mut file)?;
    let description = eif::read(file.as_slice()).context("reading the finished image")?;
    let config = inputs.kernel_config.as_deref().map(read).transpose()?;
    let about = measurements::About {
        kernel_version: &version,
        kernel_sha256: sha256(&kernel),
        kernel_config_sha256: config.map(|config| sha256(&config)),
        cmdline: &inputs.cmdline,
        authorities: &authorities,
    };
    Ok(Built {
        measurements: measurements::json(&description, &about)?,
        authorities: authorities
            .iter()
            .map(|authority| authority.fingerprint().to_string())
            .collect(),
        has_workload: user.has(WORKLOAD),
        eif: file,
    })
}

/// The command line of an image for which none is given.
pub fn default_cmdline() -> String {
    let lines = CMDLINE.lines().filter(|line| !line.starts_with('#'));
    let options: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    options.join(" ")
}

/// Ours: the agent as `/init`, and where it mounts file systems. PCR1 is of this and the kernel.
fn first_ramdisk(init: &Path) -> anyhow::Result<Ramdisk> {
    let mut ramdisk = Ramdisk::default();
    for name in MOUNT_POINTS {
        ramdisk.directory(name)?;
    }
    ramdisk.directory_with("tmp", 0o1777)?;
    ramdisk.file(INIT, true, read(init)?)?;
    Ok(ramdisk)
}

/// The user's: program, files and authorities. PCR2 is of this one; it is there even when it has nothing to say.
fn user_ramdisk(inputs: &Inputs, authorities: &[Authority]) -> anyhow::Result<Ramdisk> {
    let mut ramdisk = Ramdisk::default();
    ramdisk.directory("etc/chamber")?;
    if let Some(folder) = &inputs.files {
        tree::add(&mut ramdisk, folder)?;
    }
    if let Some(workload) = &inputs.workload {
        ramdisk.file(WORKLOAD, true, read(workload)?)?;
    }
    if !authorities.is_empty() {
        ramdisk.file(AUTHORITIES, false, authorities::file(authorities))?;
    }
    Ok(ramdisk)
}

/// The members that AWS's tools expect. Nothing here may differ between two builds.
fn metadata(inputs: &Inputs, kernel_version: &str) -> Value {
    json!({
        "ImageName": inputs.name,
        "ImageVersion": inputs.version,
        "BuildMetadata": {
            "BuildTime": "1970-01-01T00:00:00+00:00",
            "BuildTool": env!("CARGO_PKG_NAME"),
            "BuildToolVersion": env!("CARGO_PKG_VERSION"),
            "OperatingSystem": "Linux",
            "KernelVersion": kernel_version,
        },
        "DockerInfo": {},
        "CustomMetadata": null,
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
