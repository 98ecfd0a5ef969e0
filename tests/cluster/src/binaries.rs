//! The cluster's programs, built from pinned Go modules and kept by the hash of what they are built from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::paths;

/// Version that the Kubernetes programs report; without it clients refuse features.
const KUBERNETES_VERSION: &str = "v1.36.3";
/// How often a long build says that it goes on.
const PROGRESS: Duration = Duration::from_secs(15);

/// A Go module and what is built from it.
struct Set {
    name: &'static str,
    packages: &'static [&'static str],
    programs: &'static [&'static str],
}

const SETS: [Set; 4] = [
    Set {
        name: "etcd",
        packages: &["go.etcd.io/etcd/server/v3"],
        programs: &["etcd"],
    },
    Set {
        name: "kubernetes",
        packages: &["tool"],
        programs: &[
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        ],
    },
    Set {
        name: "coredns",
        packages: &["."],
        programs: &["coredns"],
    },
    Set {
        name: "helm",
        packages: &["helm.sh/helm/v4/cmd/helm"],
        programs: &["helm"],
    },
];

/// The folder with all programs.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// One file a program.
    pub dir: PathBuf,
}

impl Binaries {
    /// Path of one program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }

    /// The helm client.
    pub fn helm(&self) -> PathBuf {
        self.path("helm")
    }

    /// The Kubernetes client.
    pub fn kubectl(&self) -> PathBuf {
        self.path("kubectl")
    }
}

/// All programs; builds those that are not there (some 12 minutes on two cores when nothing is cached).
pub fn ensure() -> Result<Binaries> {
    let sources = paths::project().join("tests/cluster/binaries");
    let dir = paths::cache()?.join("bin").join(key(&sources));
    fs::create_dir_all(&dir)?;
    // Two runs at once: the second waits and finds everything built.
    let lock = File::create(dir.join(".lock"))?;
    lock.lock().context("locking the folder of programs")?;
    for set in &SETS {
        if !set
            .programs
            .iter()
            .all(|program| dir.join(program).is_file())
        {
            build(set, &sources.join(set.name), &dir)?;
        }
    }
    Ok(Binaries { dir })
}

/// Names what the programs are built from: modules, sums, own sources, flags.
fn key(sources: &Path) -> String {
    let mut hash = Sha256::new();
    hash.update(KUBERNETES_VERSION);
    for set in &SETS {
        for file in ["go.mod", "go.sum", "main.go"] {
            if let Ok(bytes) = fs::read(sources.join(set.name).join(file)) {
                hash.update(set.name);
                hash.update(file);
                hash.update(bytes);
            }
        }
    }
    hex::encode(&hash.finalize()[..6])
}

fn link_flags() -> String {
    let version = "k8s.io/component-base/version";
    format!(
        "-s -w -X {version}.gitVersion={KUBERNETES_VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor=36"
    )
}

fn build(set: &Set, source: &Path, dir: &Path) -> Result<()> {
    let started = Instant::now();
    println!("building {} from its Go module ...", set.name);
    let scratch = dir.join(format!(".{}", set.name));
    fs::create_dir_all(&scratch)?;
    let log = scratch.join("build.log");
    let target = match set.programs {
        [one] => scratch.join(one),
        _ => scratch.join(""),
    };
    let mut child = Command::new("go")
        .args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-ldflags",
            &link_flags(),
            "-o",
        ])
        .arg(&target)
        .args(set.packages)
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .stderr(File::create(&log)?)
        .spawn()
        .context("starting go")?;
    let mut told = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            println!("  ... {} for {} s", set.name, started.elapsed().as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    if !status.success() {
        bail!(
            "go build of {} failed: {}",
            set.name,
            fs::read_to_string(&log)?
        );
    }
    for program in set.programs {
        fs::rename(scratch.join(program), dir.join(program))
            .with_context(|| format!("go build of {} gave no {program}", set.name))?;
    }
    fs::remove_dir_all(&scratch)?;
    println!("  built {} in {} s", set.name, started.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_the_sums() {
        let dir = std::env::temp_dir().join(format!("cluster-key-{}", std::process::id()));
        fs::create_dir_all(dir.join("etcd")).unwrap();
        let before = key(&dir);
        fs::write(dir.join("etcd/go.sum"), "x").unwrap();
        let after = key(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_ne!(before, after);
        assert_eq!(before.len(), 12);
    }
}
