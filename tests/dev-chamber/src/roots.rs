//! `roots`: what stands for AWS's roots in a test world: of security modules, and of KMS's TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nsm_emulator::TestRoot;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rcgen::{KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::files;

/// Root of the security modules, PEM.
const NSM_ROOT: &str = "nsm-root.pem";
/// Key and certificates of one security module, as chambers read it.
const NSM_SIGNER: &str = "nsm-signer.json";
/// Root of KMS's TLS, PEM.
const KMS_ROOT: &str = "kms-root.pem";
/// `tls` of the KMS emulator's configuration.
const KMS_TLS: &str = "kms-tls.json";
const LIFE: Duration = Duration::days(3650);

#[derive(clap::Args)]
pub struct Options {
    /// Folder that gets nsm-root.pem, nsm-signer.json, kms-root.pem and kms-tls.json; what is there already stays.
    #[arg(long)]
    out: PathBuf,
    /// Region whose KMS endpoint the emulator answers for.
    #[arg(long, default_value = "us-east-1")]
    region: String,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let all = [NSM_ROOT, NSM_SIGNER, KMS_ROOT, KMS_TLS];
    // Images measure the roots: others would be other images.
    if all.iter().all(|file| options.out.join(file).exists()) {
        return Ok(ExitCode::SUCCESS);
    }
    fs::create_dir_all(&options.out)?;
    security_modules(&options.out)?;
    kms(&options.out, &options.region)?;
    Ok(ExitCode::SUCCESS)
}

fn security_modules(out: &Path) -> anyhow::Result<()> {
    let root = TestRoot::generate()?;
    let signer = root.issue_signer()?;
    files::write(&out.join(NSM_ROOT), &root.certificate_pem(), 0o644)?;
    files::write(&out.join(NSM_SIGNER), &signer.to_json(), 0o600)
}

fn kms(out: &Path, region: &str) -> anyhow::Result<()> {
    let mut root = params(Vec::new(), "test KMS root")?;
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?;
    let name = format!("kms.{region}.amazonaws.com");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let leaf = params(vec![name.clone()], &name)?.signed_by(&key, &root)?;
    let tls = json!({"certificatePem": leaf.pem(), "keyPem": key.serialize_pem()});
    files::write(&out.join(KMS_ROOT), &root.pem(), 0o644)?;
    files::write(&out.join(KMS_TLS), &tls.to_string(), 0o600)
}

fn params(names: Vec<String>, subject: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + LIFE;
    Ok(params)
}
