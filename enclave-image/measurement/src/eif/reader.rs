//! Reads a file front to back, once.

use std::io::{ErrorKind, Read};

use serde_json::{Map, Value};

use super::header::{self, HEADER_BYTES, Header, SECTION_HEADER_BYTES, SectionType};
use super::measure::{self, Registers};
use super::{EifError, signature};
use crate::Pcr;

/// Bytes of a signature section at most (a certificate and a signature have a few KiB).
pub const MAX_SIGNATURE: u64 = 64 * 1024;
/// Bytes of a metadata section at most.
pub const MAX_METADATA: u64 = 1024 * 1024;
/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// What an image file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Version of the format.
    pub version: u16,
    /// PCR0, which KMS calls `ImageSha384`.
    pub pcr0: Pcr,
    /// PCR1: kernel, command line and first ramdisk.
    pub pcr1: Pcr,
    /// PCR2: the other ramdisks.
    pub pcr2: Pcr,
    /// PCR8 of a signed image.
    pub pcr8: Option<Pcr>,
    /// Whether the checksum is right.
    pub crc_matches: bool,
    /// The metadata section; empty where there is none.
    pub metadata: Map<String, Value>,
}

/// Reads an image file. Memory is bounded whatever the file says; time is that of reading it.
pub fn read(file: impl Read) -> Result<Description, EifError> {
    let mut source = Source {
        file,
        crc: crc32fast::Hasher::new(),
        position: 0,
        buffer: vec![0; CHUNK],
    };
    let mut bytes = [0; HEADER_BYTES];
    source.fill(&mut bytes, "the header")?;
    let header = Header::parse(&bytes)?;
    // The checksum is of all but itself.
    source.crc = crc32fast::Hasher::new();
    source.crc.update(&bytes[..HEADER_BYTES - 4]);
    let mut contents = Contents::default();
    for (index, (offset, size)) in header.sections.iter().enumerate() {
        agree(index, "the offset", *offset, source.position)?;
        let mut bytes = [0; SECTION_HEADER_BYTES];
        source.fill(&mut bytes, "a section's header")?;
        let (kind, found) = header::section(index, &bytes)?;
        agree(index, "the size", *size, found)?;
        contents.section(index, kind, found, &mut source)?;
    }
    source.end()?;
    contents.describe(header.version, header.crc == source.crc.finalize())
}

fn agree(index: usize, what: &'static str, expected: u64, found: u64) -> Result<(), EifError> {
    if expected == found {
        return Ok(());
    }
    Err(EifError::Disagreement {
        index,
        what,
        expected,
        found,
    })
}

/// What was read so far.
#[derive(Default)]
struct Contents {
    /// The last section that registers are of.
    measured: Option<SectionType>,
    has_metadata: bool,
    has_signature: bool,
    ramdisks: usize,
    registers: Registers,
    pcr8: Option<Pcr>,
    metadata: Map<String, Value>,
}

impl Contents {
    fn section(
        &mut self,
        index: usize,
        kind: SectionType,
        size: u64,
        source: &mut Source<impl Read>,
    ) -> Result<(), EifError> {
        self.order(index, kind)?;
        match kind {
            SectionType::Kernel | SectionType::Cmdline => {
                source.stream(size, kind.name(), |bytes| {
                    self.registers.update(None, bytes);
                })
            }
            SectionType::Ramdisk => {
                let ramdisk = self.ramdisks;
                self.ramdisks += 1;
                source.stream(size, kind.name(), |bytes| {
                    self.registers.update(Some(ramdisk), bytes);
                })
            }
            SectionType::Signature => {
                let section = source.held(size, "signature", MAX_SIGNATURE)?;
                self.pcr8 = Some(measure::of_certificate(&signature::certificate(&section)?));
                Ok(())
            }
            SectionType::Metadata => {
                let section = source.held(size, "metadata", MAX_METADATA)?;
                self.metadata = serde_json::from_slice(&section)
                    .map_err(|error| EifError::Metadata(error.to_string()))?;
                Ok(())
            }
        }
    }

    /// Registers are of kernel, command line and ramdisks in this order: another one would be another image.
    /// Metadata and signature are measured by none of them: AWS's tools write the one before the ramdisks
    /// and the other one last (aws-nitro-enclaves-image-format 0.8.1, `EifBuilder::write_to`).
    fn order(&mut self, index: usize, kind: SectionType) -> Result<(), EifError> {
        let once = |seen: &mut bool| !std::mem::replace(seen, true);
        let fits = match (self.measured, kind) {
            (None, SectionType::Kernel)
            | (Some(SectionType::Kernel), SectionType::Cmdline)
            | (Some(SectionType::Cmdline | SectionType::Ramdisk), SectionType::Ramdisk) => {
                self.measured = Some(kind);
                true
            }
            (Some(_), SectionType::Metadata) => once(&mut self.has_metadata),
            (Some(_), SectionType::Signature) => once(&mut self.has_signature),
            _ => false,
        };
        fits.then_some(()).ok_or(EifError::Order {
            index,
            found: kind.name(),
        })
    }

    fn describe(self, version: u16, crc_matches: bool) -> Result<Description, EifError> {
        if self.ramdisks == 0 {
            return Err(EifError::Missing("ramdisk"));
        }
        let [pcr0, pcr1, pcr2] = self.registers.finish();
        Ok(Description {
            version,
            pcr0,
            pcr1,
            pcr2,
            pcr8: self.pcr8,
            crc_matches,
            metadata: self.metadata,
        })
    }
}

/// The file, with what is known of the part that was read.
struct Source<R> {
    file: R,
    crc: crc32fast::Hasher,
    position: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Source<R> {
    fn fill(&mut self, bytes: &mut [u8], part: &'static str) -> Result<(), EifError> {
        self.file
            .read_exact(bytes)
            .map_err(|error| failed(error, part))?;
        self.crc.update(bytes);
        self.position = self.position.saturating_add(bytes.len() as u64);
        Ok(())
    }

    fn stream(
        &mut self,
        size: u64,
        part: &'static str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), EifError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut rest = size;
        while rest > 0 {
            let next = usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK);
            self.fill(&mut buffer[..next], part)?;
            take(&buffer[..next]);
            rest -= next as u64;
        }
        self.buffer = buffer;
        Ok(())
    }

    /// A section that is needed as a whole.
    fn held(&mut self, size: u64, part: &'static str, most: u64) -> Result<Vec<u8>, EifError> {
        if size > most {
            return Err(EifError::TooLarge {
                part,
                found: size,
                most,
            });
        }
        let mut held = Vec::new();
        self.stream(size, part, |bytes| held.extend_from_slice(bytes))?;
        Ok(held)
    }

    fn end(&mut self) -> Result<(), EifError> {
        match self.file.read_exact(&mut [0]) {
            Ok(()) => Err(EifError::Trailing),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(EifError::Read(error)),
        }
    }
}

fn failed(error: std::io::Error, part: &'static str) -> EifError {
    match error.kind() {
        ErrorKind::UnexpectedEof => EifError::Truncated { part },
        _ => EifError::Read(error),
    }
}
