//! `manifest`: render, sign, verify.

mod der;
mod file;
mod key_file;
pub mod master_key;
mod render;
mod sign;
mod splice;
mod verify;

use chamber_api::ManifestSpec;
use chamber_resource::{Fault, manifest};
use cluster_manifest::{Kind, Manifest, SignedManifest};

use serde::Serialize;

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

/// What is put under `spec`.
#[derive(Serialize)]
struct Fragment {
    manifest: ManifestSpec,
}

impl Fragment {
    fn of(signed: &SignedManifest) -> Self {
        let manifest = manifest::to_spec(signed);
        Self { manifest }
    }
}

/// A manifest as YAML that is put under `spec`.
pub fn fragment(signed: &SignedManifest) -> Result<String, Failure> {
    let text = serde_yaml_ng::to_string(&Fragment::of(signed));
    text.map_err(|why| Failure::Write(why.to_string()))
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
