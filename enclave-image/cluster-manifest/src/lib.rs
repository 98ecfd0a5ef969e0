//! The cluster manifest: what an offline authority says of a cluster's keys.
//!
//! A [`Manifest`] names a cluster, its keys and threshold, its generation, and who may seal for it. An authority signs
//! its body ([`SignedManifest`]); enclave images measure the public keys of the authorities that they believe. What a
//! parent instance hands to an enclave counts only as far as a manifest says so: [`check_blob`] is that rule, and agent,
//! operator and command line share it. [`check_rewrap`] is the rule of a new generation. Byte for byte in `docs/cluster-manifest.md`.

mod authority;
mod blob;
mod body;
mod digest;
mod envelope;
mod error;
mod key_arn;
mod succession;

pub use authority::{Algorithm, Authority, AuthorityError, Fingerprint, Signature};
pub use blob::{Provenance, check_blob, check_document, check_sealed};
pub use body::{Kind, MAX_SEALERS, Manifest};
pub use digest::Digest;
pub use envelope::{MAX_SIGNATURES, SignedManifest};
pub use error::{ManifestError, Mismatch, NOT_GIVEN, NotSuccessor, wants_manifest};
pub use key_arn::KeyArn;
pub use measurement::MANIFEST_REGISTER;
pub use succession::{check_rewrap, check_successor};
