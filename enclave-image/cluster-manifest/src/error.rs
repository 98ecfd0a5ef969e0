//! Why a manifest is not believed, or a blob does not fit it.

use attestation::Rejected;
use measurement::Pcr;
use wire_format::FormatError;

use crate::{Digest, Fingerprint};

/// How an image that measures an authority says that it was given no manifest.
pub const NOT_GIVEN: &str =
    "no cluster manifest was given, and this image measures an authority key";
/// How it says that it was given a seal permit, and is to unseal.
const PERMIT_ONLY: &str = "the cluster manifest is a seal permit, which lets nobody unseal";

/// Whether these words of an enclave ask for a manifest that it was not given.
pub fn wants_manifest(said: &str) -> bool {
    [NOT_GIVEN, PERMIT_ONLY]
        .iter()
        .any(|words| said.starts_with(words))
}

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not base64.
    #[error(
        "cluster manifest: not base64 ({0}); expected what `kubectl chamber manifest sign` wrote"
    )]
    Base64(String),
    /// Not a manifest of a version that this build reads.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// No authority that is believed here signed it.
    #[error(
        "cluster manifest: signed by [{}], believed are [{}]: no signature of an authority that this image measures is good; sign it with one of those keys",
        list(signed_by),
        list(believed)
    )]
    Signature {
        /// Whose signatures it carries, good or not.
        signed_by: Vec<Fingerprint>,
        /// Whose signature would do.
        believed: Vec<Fingerprint>,
    },
}

/// Why a sealed blob does not fit a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A field differs.
    #[error("the sealed blob's {field} is {blob}, the cluster manifest's is {manifest}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// The blob's value.
        blob: String,
        /// The manifest's.
        manifest: String,
    },
    /// A seal permit does not let anybody unseal.
    #[error("{PERMIT_ONLY}: sign a run manifest that names the commitment {commitment}")]
    PermitOnly {
        /// Of the blob, hex.
        commitment: String,
    },
    /// A seal under a permit says nothing of it.
    #[error("the sealed blob was not sealed under this seal permit: {0}")]
    OtherPermit(String),
    /// The sealing document does not verify.
    #[error("the sealed blob's sealing document: {0}")]
    Document(#[from] Rejected),
    /// The sealing document is of something else.
    #[error(
        "the sealed blob's sealing document {0}: it does not speak of this blob, so somebody else made the blob"
    )]
    Claims(String),
    /// The sealing enclave runs in debug mode.
    #[error(
        "the sealed blob was sealed in debug mode: whoever runs the parent instance can read such an enclave's memory"
    )]
    Debug,
    /// The sealing enclave is not one that the manifest names.
    #[error(
        "the sealed blob was sealed by image {image} with signer {signer}, and the cluster manifest names neither: seal with a named image, or sign a manifest that names this one"
    )]
    Sealer {
        /// PCR0.
        image: Pcr,
        /// PCR8, or `none`.
        signer: String,
    },
    /// The sealing enclave had taken another manifest, or none.
    #[error("the sealed blob's sealing document has {found} in PCR16, expected {expected}")]
    Register {
        /// Its value, or `nothing (not locked)`.
        found: String,
        /// Of the manifest that the blob says it was sealed under.
        expected: Pcr,
    },
    /// The blob does not encode.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// Why the master key is not wrapped anew under a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSuccessor {
    /// The manifest of the generation before is not the one that the new one names.
    #[error(
        "the manifest that was given as the one before has the digest {given}, the cluster manifest names {named}: give the one that it names"
    )]
    Previous {
        /// The digest that the new one names, or `none`.
        named: String,
        /// The digest of the one that was given.
        given: Digest,
    },
    /// A field does not follow from the generation before.
    #[error(
        "the cluster manifest's {field} is {found}, expected {expected} after the manifest that it names as the one before: sign one that says so"
    )]
    Field {
        /// Name of the field.
        field: &'static str,
        /// The new manifest's value.
        found: String,
        /// The only value that follows.
        expected: String,
    },
    /// One of the two is a seal permit.
    #[error(
        "the manifest {0} is a seal permit; shares are wrapped anew from one run manifest to the next, with the same commitment"
    )]
    Permit(&'static str),
    /// The commitment in a blob of format 1 holds for its generation only.
    #[error(
        "the sealed blob is of format 1, whose commitment holds for one generation: no manifest can name the next one's beforehand, so its keys cannot change; seal a new cluster with a present image, and move there"
    )]
    Format1,
    /// The blob is not what the manifest of its generation speaks of.
    #[error("by the manifest of the generation before, {0}")]
    Blob(#[from] Mismatch),
    /// The manifest of the generation before does not encode.
    #[error(transparent)]
    Format(#[from] FormatError),
}

fn list(fingerprints: &[Fingerprint]) -> String {
    let texts: Vec<_> = fingerprints.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
