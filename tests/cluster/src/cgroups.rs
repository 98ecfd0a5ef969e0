//! The cgroup that all pods of a cluster are in; cgroup v1, hybrid, and v2.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes the cgroup in every hierarchy.
pub fn make(name: &str) -> Result<()> {
    for parent in hierarchies()? {
        let group = parent.join(name);
        fs::create_dir_all(&group).with_context(|| format!("making {}", group.display()))?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            // An empty cpuset takes no process on v1.
            if let Ok(value) = fs::read(parent.join(file)) {
                fs::write(group.join(file), value).ok();
            }
        }
    }
    Ok(())
}

/// Removes it everywhere, children first; the processes in it are gone.
pub fn remove(name: &str) -> Result<()> {
    for parent in hierarchies()? {
        remove_tree(&parent.join(name));
    }
    Ok(())
}

fn remove_tree(group: &Path) {
    let Ok(entries) = fs::read_dir(group) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    fs::remove_dir(group).ok();
}

/// The one hierarchy of v2, or every controller's of v1.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(root).context("reading the cgroup hierarchies")? {
        let entry = entry?;
        // Links such as cpu -> cpu,cpuacct name the same hierarchy twice.
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
