//! Enclave image files: what `nitro-cli describe-eif` says of them, without nitro-cli.
//!
//! The format is that of `aws-nitro-enclaves-image-format`: a header of 548 bytes, then sections, each
//! with a header of 12 bytes; all numbers are big-endian. Files are read once, front to back, and
//! only the signature and the metadata are ever held in memory, both bounded.

mod describe;
mod error;
mod header;
mod measure;
mod reader;
mod signature;

pub use error::EifError;
pub use header::{HEADER_BYTES, MAX_SECTIONS, SECTION_HEADER_BYTES, SectionType};
pub use reader::{Description, MAX_METADATA, MAX_SIGNATURE, read};
