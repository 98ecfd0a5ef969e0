//! Measurements of enclave images: PCR values and their tuple.

#[cfg(feature = "eif")]
pub mod eif;
mod pcr;
mod tuple;

pub use pcr::{Pcr, PcrError};
pub use tuple::{MANIFEST_REGISTER, Measurement};
