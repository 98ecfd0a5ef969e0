//! The keys of the chamber's task, as far as the host can see them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Start, Task};
use cluster_manifest::SignedManifest;
use measurement::Pcr;
use measurement::eif::Description;
use sealed_blob::InnerBlob;

/// ARNs of the keys that this task is done with: of the manifests, and of the blob or seal request.
///
/// Nothing is verified: the agent does that. What cannot be read here names no key, and the log says why.
pub(crate) fn of(start: &Start, image: &Description) -> BTreeSet<String> {
    let mut arns = BTreeSet::new();
    if let Some(text) = &start.manifest {
        in_manifest("CHAMBER_MANIFEST", text, &mut arns);
    }
    match &start.task {
        Task::Seal(request) => arns.extend(request.keys.iter().cloned()),
        Task::Unseal { blob, .. } => in_blob("TEE_AUTO_UNSEAL_BLOB", blob, image, &mut arns),
        Task::Rewrap { blob, previous } => {
            in_manifest("CHAMBER_PREVIOUS_MANIFEST", previous, &mut arns);
            in_blob("CHAMBER_REWRAP_BLOB", blob, image, &mut arns);
        }
    }
    arns
}

fn in_manifest(variable: &str, text: &str, arns: &mut BTreeSet<String>) {
    match SignedManifest::from_text(text) {
        Ok(signed) => arns.extend(signed.unverified().keys.iter().cloned()),
        Err(error) => tracing::warn!(%error, variable, "names no key that could be read"),
    }
}

fn in_blob(variable: &str, text: &str, image: &Description, arns: &mut BTreeSet<String>) {
    match open(text, image) {
        Ok(inner) => arns.extend(inner.shares.into_iter().map(|share| share.key_arn)),
        Err(why) => tracing::warn!(why, variable, "names no key that could be read"),
    }
}

/// The outer layer's key is made of the image's registers, which are public.
fn open(text: &str, image: &Description) -> Result<InnerBlob, String> {
    let bytes = BASE64.decode(text.trim());
    let bytes = bytes.map_err(|error| error.to_string())?;
    let inner = sealed_blob::open(&bytes, |index| register(image, index));
    inner.map_err(|error| error.to_string())
}

/// What an image file tells of the registers; PCR8 is zero where it is not signed.
fn register(image: &Description, index: u8) -> Option<Pcr> {
    match index {
        0 => Some(image.pcr0),
        1 => Some(image.pcr1),
        2 => Some(image.pcr2),
        8 => Some(image.pcr8.unwrap_or(Pcr::from_bytes([0; 48]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
