//! Reads a file front to back, once.

use std::io::Read;

use serde_json::{Map, Value};

use super::error::RamdiskError;
use super::files::{ImageFiles, Root};
use super::header::{self, HEADER_BYTES, Header, SECTION_HEADER_BYTES, SectionType};
use super::measure::{self, Registers};
use super::source::Source;
use super::{EifError, signature};
use crate::Pcr;

/// Bytes of a signature section at most (a certificate and a signature have a few KiB).
pub const MAX_SIGNATURE: u64 = 64 * 1024;
/// Bytes of a metadata section at most.
pub const MAX_METADATA: u64 = 1024 * 1024;

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
    /// The metadata section; empty where there is none. Nothing measures it.
    pub metadata: Map<String, Value>,
    /// What the ramdisks say, or why that cannot be told: such an image may be good, but was not built by `eif-build`.
    pub files: Result<ImageFiles, RamdiskError>,
}

/// The measured sections of an image file, as they are put into memory to boot it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The kernel.
    pub kernel: Vec<u8>,
    /// The command line, as it stands in the file.
    pub cmdline: Vec<u8>,
    /// The ramdisks in order; one after another they are the initial file system.
    pub ramdisks: Vec<Vec<u8>>,
}

/// Reads an image file. Memory is bounded whatever the file says; time is that of reading and unpacking at most 1 GiB a ramdisk.
pub fn read(file: impl Read) -> Result<Description, EifError> {
    visit(file, |_, _| {})
}

/// Reads an image file and keeps what is booted of it: memory is the file's size.
pub fn take_apart(file: impl Read) -> Result<(Description, Parts), EifError> {
    let mut parts = Parts::default();
    let description = visit(file, |place, bytes| {
        let part = match place {
            Place::Kernel => &mut parts.kernel,
            Place::Cmdline => &mut parts.cmdline,
            Place::Ramdisk(index) => {
                if parts.ramdisks.len() <= index {
                    parts.ramdisks.resize(index + 1, Vec::new());
                }
                &mut parts.ramdisks[index]
            }
        };
        part.extend_from_slice(bytes);
    })?;
    Ok((description, parts))
}

/// Where measured bytes stand.
#[derive(Clone, Copy)]
enum Place {
    Kernel,
    Cmdline,
    Ramdisk(usize),
}

fn visit(file: impl Read, mut seen: impl FnMut(Place, &[u8])) -> Result<Description, EifError> {
    let mut source = Source::new(file);
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
        contents.section(index, kind, found, &mut source, &mut seen)?;
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
    root: Root,
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
        seen: &mut impl FnMut(Place, &[u8]),
    ) -> Result<(), EifError> {
        self.order(index, kind)?;
        match kind {
            SectionType::Kernel => self.measured(Place::Kernel, size, source, seen),
            SectionType::Cmdline => self.measured(Place::Cmdline, size, source, seen),
            SectionType::Ramdisk => {
                let place = Place::Ramdisk(self.ramdisks);
                self.ramdisks += 1;
                self.measured(place, size, source, seen)
            }
            SectionType::Signature => {
                let section = held(source, size, "signature", MAX_SIGNATURE)?;
                self.pcr8 = Some(measure::of_certificate(&signature::certificate(&section)?));
                Ok(())
            }
            SectionType::Metadata => {
                let section = held(source, size, "metadata", MAX_METADATA)?;
                self.metadata = serde_json::from_slice(&section)
                    .map_err(|error| EifError::Metadata(error.to_string()))?;
                Ok(())
            }
        }
    }

    fn measured(
        &mut self,
        place: Place,
        size: u64,
        source: &mut Source<impl Read>,
        seen: &mut impl FnMut(Place, &[u8]),
    ) -> Result<(), EifError> {
        let (name, ramdisk) = match place {
            Place::Kernel => (SectionType::Kernel.name(), None),
            Place::Cmdline => (SectionType::Cmdline.name(), None),
            Place::Ramdisk(index) => (SectionType::Ramdisk.name(), Some(index)),
        };
        seen(place, &[]); // A section without bytes is one, too.
        let registers = &mut self.registers;
        let mut section = source.section(size, name, |bytes| {
            registers.update(ramdisk, bytes);
            seen(place, bytes);
        });
        if ramdisk.is_some() {
            self.root.ramdisk(&mut section);
        }
        section.finish()
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
            files: self.root.finish(),
        })
    }
}

/// A section that is needed as a whole.
fn held(
    source: &mut Source<impl Read>,
    size: u64,
    part: &'static str,
    most: u64,
) -> Result<Vec<u8>, EifError> {
    if size > most {
        let found = size;
        return Err(EifError::TooLarge { part, found, most });
    }
    let mut held = Vec::new();
    source
        .section(size, part, |bytes| held.extend_from_slice(bytes))
        .finish()?;
    Ok(held)
}
