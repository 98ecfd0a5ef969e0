//! Entries of a ramdisk: a cpio archive of the form "newc", in gzip.
//!
//! Stricter than the kernel's own reader (Linux, `init/initramfs.c`) wherever that one is lenient, so that what is read here
//! is what the kernel unpacks, or an error. That is why the crate `cpio`, which is as lenient, only writes our archives.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::error::RamdiskFault;

/// How gzip begins. No flags: the kernel's reader knows but one of the fields that they announce.
const GZIP: [u8; 4] = [0x1f, 0x8b, 8, 0];
/// Bytes of an entry's header: a magic number and 13 numbers of 8 hex digits.
const HEADER: usize = 110;
/// The kernel's `PATH_MAX`: longer names are passed over by it.
const MAX_NAME: u32 = 4096;
/// Bytes that a ramdisk unpacks to at most, so that a small file cannot keep us busy for long.
pub const MAX_UNPACKED: u64 = 1 << 30;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Special,
}

/// An entry's header.
#[derive(Debug)]
pub struct Entry {
    /// A path without `.`, `..`, empty parts or a slash at its ends.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u32,
}

/// Gives every entry of a ramdisk to `take`, with its content, which `take` may leave unread.
pub fn entries(
    section: impl Read,
    mut take: impl FnMut(&Entry, &mut dyn Read) -> Result<(), RamdiskFault>,
) -> Result<(), RamdiskFault> {
    let mut section = BufReader::new(section);
    let mut start = [0; 4];
    section.read_exact(&mut start)?;
    if start != GZIP {
        return Err(RamdiskFault::Unpack("it is not plain gzip".to_owned()));
    }
    let mut unpacked = GzDecoder::new(start.as_slice().chain(section)).take(MAX_UNPACKED);
    while let Some(entry) = entry(&mut unpacked)? {
        let mut content = unpacked.by_ref().take(entry.size.into());
        take(&entry, &mut content)?;
        let left = content.limit();
        if io::copy(&mut content, &mut io::sink())? != left {
            return Err(cut_off());
        }
        padding(&mut unpacked, entry.size)?;
    }
    end(unpacked)
}

/// The next entry, or none where the archive ends.
fn entry(archive: &mut impl Read) -> Result<Option<Entry>, RamdiskFault> {
    let mut header = [0; HEADER];
    archive.read_exact(&mut header)?;
    if header[..6] != *b"070701" {
        return Err(RamdiskFault::Archive("an entry does not begin with 070701"));
    }
    let number = |index: usize| hex(&header[6 + 8 * index..14 + 8 * index]);
    let (mode, links, size, name_size) = (number(1)?, number(4)?, number(6)?, number(11)?);
    if !(2..=MAX_NAME).contains(&name_size) {
        return Err(RamdiskFault::Archive("a name is empty or too long"));
    }
    let mut name = vec![0; usize::try_from(name_size).unwrap_or_default()];
    archive.read_exact(&mut name)?;
    padding(archive, name_size.wrapping_add(2))?; // The header ends 2 bytes behind a multiple of 4.
    if name.pop() != Some(0) || name.contains(&0) {
        return Err(RamdiskFault::Archive(
            "a name does not end with its only zero byte",
        ));
    }
    let name = String::from_utf8(name).map_err(|_| RamdiskFault::Archive("a name is not UTF-8"))?;
    if name == "TRAILER!!!" {
        return Ok(None);
    }
    let kind = kind(mode);
    let fault = match kind {
        _ if !plain(&name) => "is no plain path",
        Kind::File if links > 1 => "is a hard link",
        Kind::Link if size >= MAX_NAME => "is a link to a name that is too long",
        Kind::Directory | Kind::Special if size > 0 => "is no file, and has content",
        _ => return Ok(Some(Entry { name, kind, size })),
    };
    Err(RamdiskFault::Entry { name, fault })
}

/// Only zero bytes may stand behind the last entry, and nothing behind the compressed data.
fn end(mut unpacked: io::Take<GzDecoder<impl BufRead>>) -> Result<(), RamdiskFault> {
    let mut buffer = vec![0; 4096];
    loop {
        let length = unpacked.read(&mut buffer)?;
        if buffer[..length].iter().any(|byte| *byte != 0) {
            return Err(RamdiskFault::Archive("it goes on behind its last entry"));
        }
        if length == 0 {
            break;
        }
    }
    if unpacked.limit() == 0 {
        return Err(cut_off());
    }
    if !unpacked.into_inner().into_inner().fill_buf()?.is_empty() {
        return Err(RamdiskFault::Archive(
            "it goes on behind its compressed data",
        ));
    }
    Ok(())
}

const fn cut_off() -> RamdiskFault {
    RamdiskFault::Archive("it is cut off, or unpacks to more than 1 GiB")
}

fn kind(mode: u32) -> Kind {
    match mode & 0o170_000 {
        0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Link,
        _ => Kind::Special,
    }
}

/// `.` alone is the root.
fn plain(name: &str) -> bool {
    name == "." || name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Takes the zero bytes that fill up to a multiple of 4.
fn padding(archive: &mut impl Read, size: u32) -> Result<(), RamdiskFault> {
    let mut bytes = [0; 3];
    let length = usize::try_from(size.wrapping_neg() % 4).unwrap_or_default();
    Ok(archive.read_exact(&mut bytes[..length])?)
}

fn hex(digits: &[u8]) -> Result<u32, RamdiskFault> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let all = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| all);
    number.ok_or(RamdiskFault::Archive(
        "a header has a number that is not hex",
    ))
}
