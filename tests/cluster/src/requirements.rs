//! What the machine must have, and what is installed where it is missing.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::run;
use crate::paths;

/// Program and the package that brings it.
const PACKAGES: [(&str, &str); 9] = [
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/bin/ip", "iproute2"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/bin/prometheus", "prometheus"),
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
    found.map(|(_, package)| package).collect()
}

fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}
