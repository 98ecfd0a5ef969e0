//! The file's header and those of its sections.

use super::EifError;

/// Bytes of the file's header.
pub const HEADER_BYTES: usize = 548;
/// Bytes of a section's header.
pub const SECTION_HEADER_BYTES: usize = 12;
/// Sections that the header has room for.
pub const MAX_SECTIONS: usize = 32;
/// The version that is written.
const VERSION: u16 = 4;
/// Memory and CPUs that AWS's tools note in a header; whoever starts the enclave says what it gets.
const DEFAULT_MEMORY: u64 = 1 << 30;
const DEFAULT_CPUS: u64 = 2;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionType {
    /// The kernel.
    Kernel,
    /// The kernel's command line.
    Cmdline,
    /// A part of the first file system.
    Ramdisk,
    /// Who signed the image.
    Signature,
    /// How the image was made, as JSON.
    Metadata,
}

impl SectionType {
    fn of(index: usize, found: u16) -> Result<Self, EifError> {
        Ok(match found {
            1 => Self::Kernel,
            2 => Self::Cmdline,
            3 => Self::Ramdisk,
            4 => Self::Signature,
            5 => Self::Metadata,
            found => return Err(EifError::SectionType { index, found }),
        })
    }

    /// Its number in a section's header.
    pub const fn number(self) -> u16 {
        match self {
            Self::Kernel => 1,
            Self::Cmdline => 2,
            Self::Ramdisk => 3,
            Self::Signature => 4,
            Self::Metadata => 5,
        }
    }

    /// Its name, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "a kernel",
            Self::Cmdline => "a command line",
            Self::Ramdisk => "a ramdisk",
            Self::Signature => "a signature",
            Self::Metadata => "metadata",
        }
    }
}

/// The file's header.
pub struct Header {
    /// Version of the format.
    pub version: u16,
    /// Offset and size of each section, without its header.
    pub sections: Vec<(u64, u64)>,
    /// The checksum that the file has.
    pub crc: u32,
}

impl Header {
    /// Reads the 548 bytes.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, EifError> {
        if bytes[..4] != *b".eif" {
            return Err(EifError::Magic);
        }
        let version = number16(bytes, 4);
        if !(2..=4).contains(&version) {
            return Err(EifError::Version(version));
        }
        let count = number16(bytes, 26);
        if !(1..=32).contains(&count) {
            return Err(EifError::SectionCount(count));
        }
        let sections = (0..usize::from(count)).map(|index| {
            (
                number64(bytes, 28 + 8 * index),
                number64(bytes, 284 + 8 * index),
            )
        });
        Ok(Self {
            version,
            sections: sections.collect(),
            crc: u32::try_from(number(bytes, HEADER_BYTES - 4, 4)).unwrap_or_default(),
        })
    }
}

/// The 548 bytes for sections of these sizes (a size is without the section's header), without their checksum.
///
/// Sections beyond [`MAX_SECTIONS`] are left out: the caller has counted them.
pub fn encode(sizes: &[u64]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let mut put = |at: usize, number: &[u8]| bytes[at..at + number.len()].copy_from_slice(number);
    put(0, b".eif");
    put(4, &VERSION.to_be_bytes());
    put(8, &DEFAULT_MEMORY.to_be_bytes());
    put(16, &DEFAULT_CPUS.to_be_bytes());
    let sizes = &sizes[..sizes.len().min(MAX_SECTIONS)];
    put(
        26,
        &u16::try_from(sizes.len()).unwrap_or_default().to_be_bytes(),
    );
    let mut offset = HEADER_BYTES as u64;
    for (index, size) in sizes.iter().enumerate() {
        put(28 + 8 * index, &offset.to_be_bytes());
        put(284 + 8 * index, &size.to_be_bytes());
        offset = offset
            .saturating_add(SECTION_HEADER_BYTES as u64)
            .saturating_add(*size);
    }
    bytes
}

/// A section's header; its flags are zero.
pub fn encode_section(kind: SectionType, size: u64) -> [u8; SECTION_HEADER_BYTES] {
    let mut bytes = [0; SECTION_HEADER_BYTES];
    bytes[..2].copy_from_slice(&kind.number().to_be_bytes());
    bytes[4..].copy_from_slice(&size.to_be_bytes());
    bytes
}

/// Type and size of a section, from its header.
pub fn section(
    index: usize,
    bytes: &[u8; SECTION_HEADER_BYTES],
) -> Result<(SectionType, u64), EifError> {
    let kind = SectionType::of(index, number16(bytes, 0))?;
    Ok((kind, number64(bytes, 4)))
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let digits = bytes.iter().skip(at).take(length);
    digits.fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn number16(bytes: &[u8], at: usize) -> u16 {
    u16::try_from(number(bytes, at, 2)).unwrap_or_default()
}

fn number64(bytes: &[u8], at: usize) -> u64 {
    number(bytes, at, 8)
}
