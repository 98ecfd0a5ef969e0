//! What the machine must have, and what is installed where it is missing.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::run;
use crate::paths;

/// Program and the package that brings it.
const PACKAGES: [(&str, &str); 11] = [
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/bin/ip", "iproute2"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/bin/prometheus", "prometheus"),
    // Of these two the fast tests ask answers to compare with.
    ("/usr/bin/promtool", "prometheus"),
    ("/usr/bin/openssl", "openssl"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
];

/// What must be there before: a linker is part of every Rust toolchain that can build.
const TOOLS: [&str; 4] = ["cargo", "cc", "go", "python3"];

/// Says in one line what is missing that nobody here can install.
pub fn check() -> Result<()> {
    let mut missing = Vec::new();
    if !rustix::process::geteuid().is_root() {
        missing.push("root (namespaces, mounts and packages need it)");
    }
    missing.extend(TOOLS.into_iter().filter(|tool| !on_path(tool)));
    if missing.is_empty() {
        return Ok(());
    }
    bail!("missing: {}", missing.join(", "))
}

/// What images, layers, logs and etcd of one cluster take, with room to spare.
const DISK_MIB: u64 = 4 * 1024;

/// Says so where the disk is too full: the kubelet would evict pods, and no test would tell why.
pub fn disk(dir: &Path) -> Result<()> {
    let free = rustix::fs::statvfs(dir).with_context(|| format!("disk of {}", dir.display()))?;
    enough(dir, free.f_bavail.saturating_mul(free.f_frsize) >> 20)
}

fn enough(dir: &Path, free_mib: u64) -> Result<()> {
    ensure!(
        free_mib >= DISK_MIB,
        "a cluster needs {DISK_MIB} MiB of disk, and {} has {free_mib} left: free some (`cargo clean`, old build folders)",
        dir.display()
    );
    Ok(())
}

/// Installs the Debian packages that are not there.
pub fn install() -> Result<()> {
    if absent().is_empty() {
        return Ok(());
    }
    let cache = paths::cache()?;
    fs::create_dir_all(&cache)?;
    // Two runs at once: the second waits and finds everything installed.
    let lock = File::create(cache.join("packages.lock"))?;
    lock.lock().context("locking the installation")?;
    let missing = absent();
    if missing.is_empty() {
        return Ok(());
    }
    if !on_path("apt-get") {
        bail!(
            "missing: {} (only Debian's apt-get is known here: install them by hand)",
            missing.join(", ")
        );
    }
    eprintln!("installing Debian packages: {}", missing.join(" "));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut install).map(drop)
}

fn absent() -> Vec<&'static str> {
    let absent = |(file, _): &(&str, &str)| !Path::new(file).exists();
    let found = PACKAGES.into_iter().filter(absent);
    let mut packages: Vec<_> = found.map(|(_, package)| package).collect();
    packages.dedup();
    packages
}

fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_before_a_cluster_starts() {
        let dir = Path::new("/here");
        enough(dir, DISK_MIB).unwrap();
        let said = enough(dir, DISK_MIB - 1).unwrap_err().to_string();
        assert!(said.contains("/here has 4095 left"), "{said}");
    }
}
