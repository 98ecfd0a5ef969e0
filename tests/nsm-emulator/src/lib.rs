//! A Nitro Security Module stand-in with a test root of trust.
//!
//! It issues attestation documents of the same bytes as the real module (AWS's `attestation_process.md` of
//! aws-nitro-enclaves-nsm-api), signed under a root that the caller makes: no real KMS accepts them.

mod document;
mod emulator;
mod error;
mod root;
mod signer;

pub use document::{AttestRequest, Limit};
pub use emulator::{INSTANCE, NsmEmulator, REGISTERS};
pub use error::NsmError;
pub use root::{LeafTemplate, TestRoot};
pub use signer::Signer;
