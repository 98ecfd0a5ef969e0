//! Writes an image file, as AWS's tools do: kernel, command line, metadata, ramdisks, signature.

use std::io::Write;

use serde_json::{Map, Value};

use super::error::WriteError;
use super::header::{self, HEADER_BYTES, SectionType};
use super::measure::Registers;
use super::{MAX_METADATA, MAX_RAMDISKS, MAX_SIGNATURE};
use crate::Pcr;

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The kernel: a bzImage on x86-64.
    pub kernel: &'a [u8],
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// The ramdisks: the first one has `/init`, the others the application's files.
    pub ramdisks: &'a [Vec<u8>],
    /// What is told of the image, and measured by nothing: the text of a JSON object.
    pub metadata: &'a str,
}

impl Image<'_> {
    /// PCR0, PCR1 and PCR2.
    pub fn registers(&self) -> [Pcr; 3] {
        let mut registers = Registers::default();
        registers.update(None, self.kernel);
        registers.update(None, self.cmdline.as_bytes());
        for (index, ramdisk) in self.ramdisks.iter().enumerate() {
            registers.update(Some(index), ramdisk);
        }
        registers.finish()
    }
}

/// Writes an image file; `signature` is a section that [`signature_section`](super::signature_section) made.
///
/// The same image gives the same bytes.
pub fn write(
    image: &Image<'_>,
    signature: Option<&[u8]>,
    mut out: impl Write,
) -> Result<(), WriteError> {
    if !(1..=MAX_RAMDISKS).contains(&image.ramdisks.len()) {
        return Err(WriteError::Ramdisks(image.ramdisks.len()));
    }
    let metadata = image.metadata.as_bytes();
    bounded("metadata", metadata, MAX_METADATA)?;
    serde_json::from_slice::<Map<String, Value>>(metadata)
        .map_err(|error| WriteError::Metadata(error.to_string()))?;
    bounded("signature", signature.unwrap_or_default(), MAX_SIGNATURE)?;
    let mut sections = vec![
        (SectionType::Kernel, image.kernel),
        (SectionType::Cmdline, image.cmdline.as_bytes()),
        (SectionType::Metadata, metadata),
    ];
    let ramdisks = image.ramdisks.iter();
    sections.extend(ramdisks.map(|ramdisk| (SectionType::Ramdisk, ramdisk.as_slice())));
    sections.extend(signature.map(|section| (SectionType::Signature, section)));
    file(&sections, &mut out)
}

fn bounded(part: &'static str, bytes: &[u8], most: u64) -> Result<(), WriteError> {
    let found = bytes.len() as u64;
    if found > most {
        return Err(WriteError::TooLarge { part, found, most });
    }
    Ok(())
}

/// The checksum stands before the sections that it is of: they are gone through twice.
fn file(sections: &[(SectionType, &[u8])], out: &mut impl Write) -> Result<(), WriteError> {
    let sizes: Vec<u64> = sections.iter().map(|(_, data)| data.len() as u64).collect();
    let mut header = header::encode(&sizes);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..HEADER_BYTES - 4]);
    for (kind, data) in sections {
        crc.update(&header::encode_section(*kind, data.len() as u64));
        crc.update(data);
    }
    header[HEADER_BYTES - 4..].copy_from_slice(&crc.finalize().to_be_bytes());
    out.write_all(&header)?;
    for (kind, data) in sections {
        out.write_all(&header::encode_section(*kind, data.len() as u64))?;
        out.write_all(data)?;
    }
    Ok(())
}
