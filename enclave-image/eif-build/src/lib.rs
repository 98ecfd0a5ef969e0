//! Builds an enclave image file: kernel, ramdisks, EIF, signature and `measurements.json`.
//!
//! The same inputs give the same bytes, but for a signature, which is another one each time. `docs/enclave-image.md`
//! describes every input and what measures it.

mod authorities;
mod image;
mod kernel;
mod measurements;
mod ramdisk;
mod signer;
mod tree;

pub use image::{Built, Inputs, build, default_cmdline};
pub use ramdisk::Ramdisk;
pub use signer::Key;

/// How PEM is written, on every system alike.
const LINES: pem::EncodeConfig = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
