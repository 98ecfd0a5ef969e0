//! Why a file is no enclave image.

/// Why a file is no enclave image.
#[derive(Debug, thiserror::Error)]
pub enum EifError {
    /// The file could not be read.
    #[error("could not be read: {0}")]
    Read(#[source] std::io::Error),
    /// The file ends before what its headers announce.
    #[error("ends in {part}: the file is cut off, or its header lies")]
    Truncated {
        /// What was being read.
        part: &'static str,
    },
    /// The first four bytes are others than `.eif`.
    #[error("does not begin with \".eif\": this is no enclave image file")]
    Magic,
    /// A version of the format that is not known here.
    #[error("has format version {0}, expected 2 to 4")]
    Version(u16),
    /// No section, or more than the header has room for.
    #[error("has {0} sections, expected 1 to 32")]
    SectionCount(u16),
    /// The header and a section do not agree.
    #[error("section {index}: the file's header says {what} {expected}, the section has {found}")]
    Disagreement {
        /// Place of the section, from 0.
        index: usize,
        /// Offset or size.
        what: &'static str,
        /// What the header says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A type that is not known.
    #[error("section {index} has the type {found}, expected 1 to 5")]
    SectionType {
        /// Place of the section, from 0.
        index: usize,
        /// The type found.
        found: u16,
    },
    /// Sections in another order than kernel, command line, ramdisks, signature and metadata.
    #[error("section {index} is {found}, which cannot come here or twice")]
    Order {
        /// Place of the section, from 0.
        index: usize,
        /// What it is.
        found: &'static str,
    },
    /// A section that every image has is not there.
    #[error("has no {0}")]
    Missing(&'static str),
    /// A section that is held in memory is larger than it can be.
    #[error("has {found} bytes of {part}, expected {most} at most")]
    TooLarge {
        /// Signature or metadata.
        part: &'static str,
        /// Size found.
        found: u64,
        /// The bound.
        most: u64,
    },
    /// Something stands behind the last section.
    #[error("goes on behind its last section")]
    Trailing,
    /// The signature section cannot be read.
    #[error("has a signature that cannot be read: {0}")]
    Signature(&'static str),
    /// The metadata section is no JSON object.
    #[error("has metadata that is no JSON object: {0}")]
    Metadata(String),
}
