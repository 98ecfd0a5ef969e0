//! `manifest`: render, sign, verify.

mod der;
mod file;
mod key_file;
pub mod master_key;
mod render;
mod sign;
mod splice;
mod verify;

use chamber_resource::Fault;
use cluster_manifest::{Kind, Manifest, SignedManifest};

use crate::arguments::ManifestVerb;
use crate::output::{Answer, Failure};

/// Does what was asked.
pub fn run(verb: &ManifestVerb) -> Result<Answer, Failure> {
    match verb {
        ManifestVerb::Render(asked) => render::run(asked),
        ManifestVerb::Sign(asked) => sign::run(asked),
        ManifestVerb::Verify(asked) => verify::run(asked),
    }
}

/// What it is, for people.
fn title(manifest: &Manifest) -> String {
    let kind = match manifest.kind {
        Kind::SealPermit => "seal permit",
        Kind::Run { .. } => "run manifest",
    };
    let Manifest {
        cluster_id,
        generation,
        ..
    } = manifest;
    format!("{kind} of cluster {cluster_id}, generation {generation}")
}

/// Tells which manifest it is beside the answer.
fn tell(signed: &SignedManifest) {
    let digest = signed.digest();
    eprintln!("{}", title(signed.unverified()));
    eprintln!("digest  {digest}");
    eprintln!("PCR16   {}", digest.register());
}

/// A manifest that can be read and is not one to be used.
fn refused(file: &str, fault: &Fault) -> Failure {
    Failure::Refused(format!("{file}: {}", fault.message))
}
