//! Why a file is no enclave image, why its files cannot be told, and why none can be written.

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

/// Why it cannot be told what the files of an image say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ramdisk {ramdisk}: {fault}")]
pub struct RamdiskError {
    /// Which ramdisk, from 1.
    pub ramdisk: usize,
    /// What is wrong with it.
    pub fault: RamdiskFault,
}

/// What is wrong with a ramdisk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RamdiskFault {
    /// It is not gzip, or could not be read.
    #[error("cannot be unpacked: {0}")]
    Unpack(String),
    /// The archive is none that the kernel and we read alike.
    #[error("its archive cannot be read: {0}")]
    Archive(&'static str),
    /// An entry that could make other files of those that are read here.
    #[error("{name:?} {fault}")]
    Entry {
        /// Its path.
        name: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// The authorities' file.
    #[error("etc/chamber/authorities.pem cannot be read: {0}")]
    Authorities(String),
}

impl From<std::io::Error> for RamdiskFault {
    fn from(error: std::io::Error) -> Self {
        Self::Unpack(error.to_string())
    }
}

/// Why an image file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be written.
    #[error("the image file could not be written: {0}")]
    Write(#[from] std::io::Error),
    /// More ramdisks than the header has room for beside the other sections, or none.
    #[error("the image has {0} ramdisks, expected 1 to {most}", most = super::MAX_RAMDISKS)]
    Ramdisks(usize),
    /// Metadata or signature that the reader would refuse.
    #[error("the image has {found} bytes of {part}, expected {most} at most")]
    TooLarge {
        /// Signature or metadata.
        part: &'static str,
        /// Size found.
        found: u64,
        /// The bound.
        most: u64,
    },
    /// A signature of another size.
    #[error("the signature has {0} bytes, expected 96: r and s of ECDSA on P-384")]
    Signature(usize),
    /// A certificate that is not PEM.
    #[error("the signer's certificate cannot be used: {0}")]
    Certificate(&'static str),
    /// Metadata that the reader would refuse.
    #[error("the image's metadata is no JSON object: {0}")]
    Metadata(String),
    /// The signature could not be encoded.
    #[error("the image's signature could not be encoded")]
    Encode,
}
