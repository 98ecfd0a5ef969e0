//! The folder of one run.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::Sockets;

/// Bytes of a unix socket's path at most, without the zero at its end.
const LONGEST_SOCKET: usize = 107;
/// The longest name that a socket has: the parent's greatest port.
const LONGEST_NAME: &str = "vsock_4294967295";

/// A folder that is removed in the end.
pub struct RunDir {
    dir: TempDir,
}

impl RunDir {
    /// Makes one in `parent`. Paths of sockets have at most 107 bytes, so that it must be a short one.
    pub fn new(parent: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("enclave-")
            .tempdir_in(parent)
            .with_context(|| format!("no folder for the enclave in {}", parent.display()))?;
        let length = dir.path().join(LONGEST_NAME).as_os_str().len();
        ensure!(
            length <= LONGEST_SOCKET,
            "sockets in {} would have paths of {length} bytes, and {LONGEST_SOCKET} is the most: use a shorter folder",
            dir.path().display()
        );
        Ok(Self { dir })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The ports of the enclave that will run in it.
    pub fn sockets(&self) -> Sockets {
        Sockets::new(self.path())
    }

    /// Writes a file in it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.path().join(name);
        fs::write(&path, content).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_too_deep_for_sockets_is_refused_and_gone() {
        let parent = tempfile::tempdir().unwrap();
        let deep = parent.path().join("d".repeat(90));
        fs::create_dir(&deep).unwrap();
        let error = RunDir::new(&deep).err().unwrap().to_string();
        assert!(error.contains("use a shorter folder"), "{error}");
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
        let run = RunDir::new(parent.path()).unwrap();
        let path = run.path().to_owned();
        run.write("kernel", b"x").unwrap();
        drop(run);
        assert!(!path.exists());
    }
}
