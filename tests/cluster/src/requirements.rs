//! What must be on the machine: root, the toolchains, and Debian's packages (installed where missing).

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::run;

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

/// Says in one line what is missing that nobody here can install.
pub fn check() -> Result<()> {
    let mut missing = Vec::new();
    if !is_root()? {
        missing.push("root (namespaces, mounts and packages need it)");
    }
    for tool in ["cargo", "go", "python3"] {
        if !on_path(tool) {
            missing.push(tool);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("missing: {}", missing.join(", "))
}

/// Installs the Debian packages that are not there.
pub fn install() -> Result<()> {
    let missing: Vec<_> = PACKAGES
        .into_iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing Debian packages: {}", missing.join(" "));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut install).map(|_| ())
}

fn is_root() -> Result<bool> {
    let id = run(Command::new("id").arg("-u"))?;
    Ok(id.trim() == "0")
}

fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}
