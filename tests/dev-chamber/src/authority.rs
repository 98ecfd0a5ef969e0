//! `authority`: a key pair that signs cluster manifests of tests. A real one is made away from the cluster.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::files;

/// The private key's file, PKCS #8.
const KEY: &str = "authority.key.pem";
/// The public key's file.
const PUBLIC: &str = "authority.pem";

#[derive(clap::Args)]
pub struct Options {
    /// Folder that gets authority.key.pem and authority.pem; a pair that is there already stays.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (key, public) = (options.out.join(KEY), options.out.join(PUBLIC));
    if !key.exists() || !public.exists() {
        let pair = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
            .context("generating an Ed25519 key")?;
        let made = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pair.as_ref())?;
        let spki: PublicKeyX509Der<'_> = made.public_key().as_der()?;
        let text = |tag, der| Zeroizing::new(pem::encode(&pem::Pem::new(tag, der)));
        files::write(&public, &text("PUBLIC KEY", spki.as_ref()), 0o644)?;
        files::write(&key, &text("PRIVATE KEY", pair.as_ref()), 0o600)?;
    }
    println!("{}", public.display());
    Ok(ExitCode::SUCCESS)
}
