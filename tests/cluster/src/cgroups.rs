//! The cgroup that all pods of a cluster are in; cgroup v1, hybrid, and v2.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const ROOT: &str = "/sys/fs/cgroup";
/// How long the kernel may take to see that a group is empty.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the cgroup in every hierarchy.
pub fn make(name: &str) -> Result<()> {
    for parent in hierarchies()? {
        let group = parent.join(name);
        fs::create_dir_all(&group).with_context(|| format!("making {}", group.display()))?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            // An empty cpuset takes no process on v1; v2 inherits, and its root has no such file.
            if let Ok(value) = fs::read(parent.join(file)) {
                fs::write(group.join(file), value).with_context(|| group.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// Removes it everywhere, children first. The processes in it are gone, or about to go.
pub fn remove(name: &str) -> Result<()> {
    let groups: Vec<_> = hierarchies()?.iter().map(|root| root.join(name)).collect();
    let started = Instant::now();
    loop {
        for group in &groups {
            remove_tree(group);
        }
        let Some(left) = groups.iter().find(|group| group.exists()) else {
            return Ok(());
        };
        if started.elapsed() > PATIENCE {
            bail!("{} still has processes", left.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes what is empty; the caller looks at what is left.
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
