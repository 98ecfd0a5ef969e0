//! Folders that components write to at fixed places: inside the cluster those are its own.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

/// What is seen there stays, what is written there ends with the cluster.
const SHADOWED: [&str; 2] = ["/var/lib", "/var/log"];

/// Gives the mount namespace that this process is in folders of its own; the cluster's folder stays the real one.
pub(crate) fn shadow(run: &Path) -> Result<()> {
    let run = &run.canonicalize()?;
    // containerd, runc and CNI keep sockets and namespaces here.
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).context("mounting /run")?;
    fs::create_dir("/run/real")?;
    mount_bind(run, "/run/real").context("keeping the cluster's folder")?;
    for folder in SHADOWED {
        overlay(folder).with_context(|| format!("mounting over {folder}"))?;
    }
    // The home folder may lie in one of them, or in /run.
    fs::create_dir_all(run)?;
    mount_bind("/run/real", run).context("bringing back the cluster's folder")
}

fn overlay(folder: &str) -> Result<()> {
    let layers = format!("/run/shadow{folder}");
    for layer in ["upper", "work"] {
        fs::create_dir_all(format!("{layers}/{layer}"))?;
    }
    let options = format!("lowerdir={folder},upperdir={layers}/upper,workdir={layers}/work");
    let options = CString::new(options)?;
    mount(
        "overlay",
        folder,
        "overlay",
        MountFlags::empty(),
        options.as_c_str(),
    )?;
    Ok(())
}

/// Takes away every mount below the cluster's folder, so that it can be deleted from in here.
pub(crate) fn release(run: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    // Later ones may lie on earlier ones.
    for point in points(&mounts).iter().rev() {
        if point.starts_with(run) && point != run {
            unmount(point, UnmountFlags::DETACH).with_context(|| point.display().to_string())?;
        }
    }
    Ok(())
}

/// The mount points of a `mountinfo`: field 5, in which a space is written `\040`.
fn points(mounts: &str) -> Vec<PathBuf> {
    let point = |line: &str| {
        line.split(' ')
            .nth(4)
            .map(|field| field.replace("\\040", " "))
    };
    let points = mounts.lines().filter_map(point);
    points.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_also_with_a_space() {
        let mounts = "36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 - ext3 /dev/root rw\n\
                      37 36 0:5 / /run/real rw - tmpfs tmpfs rw\n";
        assert_eq!(
            points(mounts),
            [PathBuf::from("/a b"), PathBuf::from("/run/real")]
        );
    }
}
