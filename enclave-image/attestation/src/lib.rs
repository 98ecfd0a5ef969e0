//! Attestation documents of AWS Nitro Enclaves: verified up to AWS's root, and the claims that ours carry.
//!
//! [`verify`] is the one verifier: enclaves judge each other with it, the operator judges pods, the command line judges
//! files, and the KMS emulator judges callers. It has no clock and no configuration: root and time are its parameters.
//! What it checks, in which order and by whose words, is in `docs/attestation.md`, and so are the bytes of [`Claims`].

mod certificate;
mod claims;
mod document;
mod error;
mod root;
mod verify;

pub use claims::{Claims, ClaimsError, GateClaims};
pub use document::MAX_BYTES;
pub use error::{Rejected, RootError};
pub use root::Root;
pub use verify::{At, Verified, verify};
