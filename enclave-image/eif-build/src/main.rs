//! `eif-build`: an enclave image file from its parts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use eif_build::{Built, Inputs, Key};

/// Builds an enclave image file and measurements.json.
///
/// The same inputs give the same bytes (but for the signature, which has no place in any register).
#[derive(Debug, Parser)]
#[command(name = "eif-build", version)]
struct Options {
    /// Kernel (bzImage); enclave-image/kernel/build.sh makes one.
    #[arg(long)]
    kernel: PathBuf,
    /// All options of the kernel: their hash is written to measurements.json.
    #[arg(long, value_name = "FILE")]
    kernel_config: Option<PathBuf>,
    /// Command line of the kernel; that of enclave-image/kernel/cmdline unless it is given.
    #[arg(long, default_value_t = eif_build::default_cmdline())]
    cmdline: String,
    /// First program: the static binary unseal-agent.
    #[arg(long, value_name = "BINARY")]
    init: PathBuf,
    /// Your program: it gets the master key. A static binary, or one whose libraries --files brings.
    #[arg(long, value_name = "BINARY")]
    workload: Option<PathBuf>,
    /// Folder whose content stands in the root of the image's file system.
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
    /// Public keys (PEM) of the authorities whose cluster manifests the image believes; without any, it believes its host.
    #[arg(long, value_name = "PEM")]
    authorities: Vec<PathBuf>,
    /// Private key to sign the image with: PKCS#8 PEM, on P-384.
    #[arg(
        long,
        value_name = "PEM",
        requires = "sign_cert",
        conflicts_with = "kms_key"
    )]
    sign_key: Option<PathBuf>,
    /// Key in KMS to sign the image with, on P-384; endpoint and credentials are those of AWS's usual environment.
    #[arg(long, value_name = "ARN", requires = "sign_cert")]
    kms_key: Option<String>,
    /// Certificate of the key that signs: PCR8 is of it.
    #[arg(long, value_name = "PEM")]
    sign_cert: Option<PathBuf>,
    /// Name that is told of the image; it is not measured.
    #[arg(long, default_value = "chamber")]
    name: String,
    /// Version that is told of the image; it is not measured.
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    image_version: String,
    /// Image file to write.
    #[arg(long)]
    out: PathBuf,
    /// File to write its measurements to.
    #[arg(long)]
    measurements: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let built = eif_build::build(&options.inputs()?)?;
    write(&options.out, &built.eif)?;
    let json = serde_json::to_string_pretty(&built.measurements)? + "\n";
    write(&options.measurements, json.as_bytes())?;
    tell(&options, &built);
    Ok(())
}

impl Options {
    fn inputs(&self) -> anyhow::Result<Inputs> {
        let key = self.sign_key.clone().map(Key::File);
        let key = key.or_else(|| self.kms_key.clone().map(Key::Kms));
        let signer = match (key, self.sign_cert.clone()) {
            (Some(key), Some(certificate)) => Some((key, certificate)),
            (None, None) => None,
            _ => anyhow::bail!("--sign-cert needs --sign-key or --kms-key"),
        };
        Ok(Inputs {
            kernel: self.kernel.clone(),
            kernel_config: self.kernel_config.clone(),
            cmdline: self.cmdline.clone(),
            init: self.init.clone(),
            workload: self.workload.clone(),
            files: self.files.clone(),
            authorities: self.authorities.clone(),
            signer,
            name: self.name.clone(),
            version: self.image_version.clone(),
        })
    }
}

/// What a person wants to know at once: registers on standard output, what the image lacks on standard error.
fn tell(options: &Options, built: &Built) {
    println!("{}  {} bytes", options.out.display(), built.eif.len());
    if let Some(registers) = built.measurements["Measurements"].as_object() {
        for (name, value) in registers.iter().filter(|(name, _)| name.starts_with("PCR")) {
            println!("{name}  {}", value.as_str().unwrap_or_default());
        }
    }
    for fingerprint in &built.authorities {
        println!("authority  {fingerprint}");
    }
    if built.authorities.is_empty() {
        eprintln!(
            "eif-build: this image measures no authority: it believes its host which keys are the cluster's"
        );
    }
    if !built.has_workload {
        eprintln!(
            "eif-build: this image has no /workload: its agent unseals, and has nobody to give the master key to"
        );
    }
}

/// Under another name first, so that nobody finds half a file.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let writing = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(writing)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, bytes).with_context(writing)?;
    std::fs::rename(&partial, path).with_context(writing)
}
