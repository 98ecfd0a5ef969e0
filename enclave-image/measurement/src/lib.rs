//! Measurements of enclave images: PCR values and their tuple.

mod pcr;
mod tuple;

pub use pcr::{Pcr, PcrError};
pub use tuple::Measurement;
