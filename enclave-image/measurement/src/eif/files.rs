//! What the measured files of an image say: the authorities that it believes, and which agent it is.

use std::collections::BTreeMap;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::archive::{self, Entry, Kind};
use super::error::{RamdiskError, RamdiskFault};

/// Where an image has the public keys (PEM) of the manifest authorities that it believes, as a path in its root.
pub const AUTHORITIES: &str = "etc/chamber/authorities.pem";
/// The first program.
pub const INIT: &str = "init";
/// Paths that are no links in an image whose files can be told.
const NO_LINKS: [&str; 4] = ["etc", "etc/chamber", AUTHORITIES, INIT];
/// Bytes of [`AUTHORITIES`] at most.
const MAX_AUTHORITIES: u32 = 64 * 1024;
/// Entries of all ramdisks at most, and bytes of their names.
const MAX_ENTRIES: usize = 100_000;
const MAX_NAMES: usize = 16 * 1024 * 1024;

/// What the ramdisks of an image say. All of it is measured: by PCR0, and by PCR1 or PCR2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFiles {
    /// SHA-256 of the DER `SubjectPublicKeyInfo` of each key in [`AUTHORITIES`]; none where the file is not there.
    pub authorities: Vec<[u8; 32]>,
    /// SHA-256 of `/init`.
    pub init_sha256: Option<[u8; 32]>,
}

/// The root file system that the ramdisks are unpacked to, as far as it matters.
#[derive(Default)]
pub struct Root {
    entries: BTreeMap<String, Kind>,
    names: usize,
    ramdisks: usize,
    files: ImageFiles,
    error: Option<RamdiskError>,
}

impl Root {
    /// Takes in the next ramdisk; may leave a rest of it unread.
    pub fn ramdisk(&mut self, section: impl Read) {
        self.ramdisks += 1;
        if self.error.is_some() {
            return;
        }
        let taken = archive::entries(section, |entry, content| self.entry(entry, content));
        self.error = taken.err().map(|fault| RamdiskError {
            ramdisk: self.ramdisks,
            fault,
        });
    }

    /// What the ramdisks say, or why it cannot be told.
    pub fn finish(self) -> Result<ImageFiles, RamdiskError> {
        self.error.map_or(Ok(self.files), Err)
    }

    fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), RamdiskFault> {
        self.place(entry).map_err(|fault| RamdiskFault::Entry {
            name: entry.name.clone(),
            fault,
        })?;
        match entry.name.as_str() {
            INIT => {
                let mut hash = Sha256::new();
                io::copy(content, &mut HashWriter(&mut hash))?;
                self.files.init_sha256 = Some(hash.finalize().into());
            }
            AUTHORITIES => {
                let mut pem = Vec::new();
                content.read_to_end(&mut pem)?;
                self.files.authorities = fingerprints(&pem)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A place that no other entry has, in a directory that is there: nothing is replaced, nothing reached by a link.
    fn place(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let name = entry.name.as_str();
        if NO_LINKS.contains(&name) && entry.kind == Kind::Link {
            return Err("is a link");
        }
        if [INIT, AUTHORITIES].contains(&name) && entry.kind != Kind::File {
            return Err("is no file");
        }
        if name == AUTHORITIES && entry.size > MAX_AUTHORITIES {
            return Err("has more than 64 KiB");
        }
        let parent = name.rsplit_once('/').map(|(parent, _)| parent);
        if parent.is_some_and(|parent| self.entries.get(parent) != Some(&Kind::Directory)) {
            return Err("stands in no directory of the archive");
        }
        let again = (entry.kind, self.entries.get(name));
        if again == (Kind::Directory, Some(&Kind::Directory)) {
            return Ok(());
        }
        self.names += name.len();
        if self.entries.len() >= MAX_ENTRIES || self.names > MAX_NAMES {
            return Err("is one of too many");
        }
        match self.entries.insert(name.to_owned(), entry.kind) {
            None => Ok(()),
            Some(_) => Err("is there twice"),
        }
    }
}

/// The fingerprints under which manifests name their authorities.
fn fingerprints(text: &[u8]) -> Result<Vec<[u8; 32]>, RamdiskFault> {
    let blocks =
        pem::parse_many(text).map_err(|error| RamdiskFault::Authorities(error.to_string()))?;
    let fingerprint = |block: &pem::Pem| match block.tag() {
        "PUBLIC KEY" => Ok(Sha256::digest(block.contents()).into()),
        tag => Err(RamdiskFault::Authorities(format!(
            "a block {tag:?}, expected \"PUBLIC KEY\""
        ))),
    };
    blocks.iter().map(fingerprint).collect()
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
