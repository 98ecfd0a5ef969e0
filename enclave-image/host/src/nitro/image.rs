//! The image file: read once, so that what is measured is what is booted.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use measurement::Pcr;
use measurement::eif::{self, Description, EifError};

/// Bytes of an image file, and what they are.
pub struct Image {
    pub bytes: Vec<u8>,
    pub description: Description,
}

/// Why an image is not started.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("the enclave image {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error(
        "the enclave image {path} is larger than the enclave's {memory_mib} MiB: set CHAMBER_MEMORY_MIB to four times its size"
    )]
    TooLarge { path: PathBuf, memory_mib: u32 },
    #[error("the enclave image {path} {error}")]
    Format { path: PathBuf, error: EifError },
    #[error("the enclave image {path} has a wrong checksum: the file is damaged")]
    Checksum { path: PathBuf },
    #[error(
        "the enclave image {path} has PCR0 {found}, the release has {expected} (CHAMBER_IMAGE_SHA384): the container image is not the one that was measured"
    )]
    Measurement {
        path: PathBuf,
        found: Pcr,
        expected: Pcr,
    },
}

impl Image {
    /// Reads it, as far as it fits into the enclave, and measures what was read.
    pub fn read(path: &Path, memory_mib: u32, expected: Option<Pcr>) -> Result<Self, ImageError> {
        let path = path.to_path_buf();
        let most = u64::from(memory_mib) << 20;
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(most).read_to_end(&mut bytes));
        let length = match read {
            Ok(length) => length as u64,
            Err(error) => return Err(ImageError::Read { path, error }),
        };
        if length == most {
            return Err(ImageError::TooLarge { path, memory_mib });
        }
        let description = match eif::read(bytes.as_slice()) {
            Ok(description) => description,
            Err(error) => return Err(ImageError::Format { path, error }),
        };
        if !description.crc_matches {
            return Err(ImageError::Checksum { path });
        }
        let found = description.pcr0;
        match expected {
            Some(expected) if expected != found => Err(ImageError::Measurement {
                path,
                found,
                expected,
            }),
            _ => Ok(Self { bytes, description }),
        }
    }
}
