//! A ramdisk: a cpio archive of the form "newc", in gzip. The same entries give the same bytes.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, bail};
use flate2::{Compression, GzBuilder};

const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Directory { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Link { target: String },
}

/// The entries of a ramdisk by their paths, which are relative to the root. Everything belongs to root.
#[derive(Clone, Debug, Default)]
pub struct Ramdisk {
    entries: BTreeMap<String, Entry>,
}

impl Ramdisk {
    /// Adds a directory, and those above it.
    pub fn directory(&mut self, path: &str) -> anyhow::Result<()> {
        self.directory_with(path, 0o755)
    }

    /// Adds a directory with these permissions, and those above it with 0755.
    pub fn directory_with(&mut self, path: &str, mode: u32) -> anyhow::Result<()> {
        if self.is_directory(path) {
            return Ok(());
        }
        self.add(path, Entry::Directory { mode })
    }

    /// Adds a file that everybody can read, and execute where it is a program.
    pub fn file(&mut self, path: &str, program: bool, content: Vec<u8>) -> anyhow::Result<()> {
        let mode = if program { 0o755 } else { 0o644 };
        self.add(path, Entry::File { mode, content })
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: String) -> anyhow::Result<()> {
        self.add(path, Entry::Link { target })
    }

    /// Whether something stands at a path.
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// The archive, compressed. Owner, times and devices are zero, inodes count from 1 in the order of the paths.
    pub fn pack(&self) -> anyhow::Result<Vec<u8>> {
        let mut out = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::best());
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            let (mode, links, content) = match entry {
                Entry::Directory { mode } => (DIRECTORY | mode, 2, [].as_slice()),
                Entry::File { mode, content } => (FILE | mode, 1, content.as_slice()),
                Entry::Link { target } => (LINK | 0o777, 1, target.as_bytes()),
            };
            let size = u32::try_from(content.len());
            let size = size.with_context(|| format!("{path} has 4 GiB or more"))?;
            let header = cpio::newc::Builder::new(path)
                .ino(inode)
                .mode(mode)
                .nlink(links);
            let mut writer = header.write(out, size);
            writer.write_all(content)?;
            out = writer.finish()?;
        }
        Ok(cpio::newc::trailer(out)?.finish()?)
    }

    fn add(&mut self, path: &str, entry: Entry) -> anyhow::Result<()> {
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !plain || path.contains('\0') || path.len() >= 4096 {
            bail!("{path:?} is no path that an image can have");
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent)?;
        }
        if self.entries.insert(path.to_owned(), entry).is_some() {
            bail!("{path} is there twice");
        }
        Ok(())
    }

    fn is_directory(&self, path: &str) -> bool {
        matches!(self.entries.get(path), Some(Entry::Directory { .. }))
    }
}
