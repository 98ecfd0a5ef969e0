//! A folder with the user's files, as they will stand in the image's root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use measurement::eif::{AUTHORITIES, INIT};

use crate::ramdisk::Ramdisk;

/// Folders that the agent puts a file system over at start: what an image has there would never be seen.
const COVERED: [&str; 4] = ["dev", "proc", "sys", "tmp"];

/// Adds everything under `folder`: files, folders and symbolic links. Of the permissions only "may be executed" is kept.
pub fn add(ramdisk: &mut Ramdisk, folder: &Path) -> anyhow::Result<()> {
    walk(ramdisk, folder, "")
}

fn walk(ramdisk: &mut Ramdisk, folder: &Path, prefix: &str) -> anyhow::Result<()> {
    let reading = || format!("reading {}", folder.display());
    for found in fs::read_dir(folder).with_context(reading)? {
        let found = found.with_context(reading)?;
        let path = found.path();
        let name = found.file_name();
        let name = name.to_str();
        let name = name.with_context(|| format!("{} is not UTF-8", path.display()))?;
        let inside = format!("{prefix}{name}");
        refuse(&inside).with_context(|| format!("{}", path.display()))?;
        let reading = || format!("reading {}", path.display());
        let kind = found.file_type().with_context(reading)?;
        if kind.is_dir() {
            ramdisk.directory(&inside)?;
            walk(ramdisk, &path, &format!("{inside}/"))?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).with_context(reading)?;
            let target = target.into_os_string().into_string();
            let target =
                target.map_err(|_| anyhow::anyhow!("{}: target is not UTF-8", path.display()))?;
            ramdisk.link(&inside, target)?;
        } else if kind.is_file() {
            let program = found.metadata().with_context(reading)?.permissions().mode() & 0o100 != 0;
            ramdisk.file(&inside, program, fs::read(&path).with_context(reading)?)?;
        } else {
            bail!("{} is no file, folder or symbolic link", path.display());
        }
    }
    Ok(())
}

/// Paths that are not the user's.
fn refuse(inside: &str) -> anyhow::Result<()> {
    if inside == INIT {
        bail!("/init is the agent's: it starts /workload");
    }
    if inside == AUTHORITIES {
        bail!("authorities are given with --authorities, which checks them");
    }
    if COVERED.contains(&inside) {
        bail!("/{inside} is covered by another file system when the enclave runs");
    }
    Ok(())
}
