//! Enclave image files: what `nitro-cli describe-eif` says of them, without nitro-cli, and how they are written.
//!
//! The format is that of `aws-nitro-enclaves-image-format`: a header of 548 bytes, then sections, each
//! with a header of 12 bytes; all numbers are big-endian. Files are read once, front to back, and
//! only the signature and the metadata are ever held in memory, both bounded.

mod archive;
mod describe;
mod error;
mod files;
mod header;
mod measure;
mod reader;
mod sign;
mod signature;
mod source;
mod write;

pub use error::{EifError, RamdiskError, RamdiskFault, WriteError};
pub use files::{AUTHORITIES, INIT, ImageFiles};
pub use header::{HEADER_BYTES, MAX_SECTIONS, SECTION_HEADER_BYTES, SectionType};
pub use reader::{Description, MAX_METADATA, MAX_SIGNATURE, Parts, read, take_apart};
pub use sign::{signature_section, to_be_signed};
pub use write::{Image, write};

/// Ramdisks of an image at most: kernel, command line, metadata and signature are the other sections.
pub const MAX_RAMDISKS: usize = MAX_SECTIONS - 4;
