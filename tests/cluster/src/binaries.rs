//! The cluster's programs, kept by the hash of what they are built from.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::go::{self, Set};
use crate::paths;

const CLIENTS: [Set; 2] = [
    Set {
        name: "helm",
        module: "helm",
        packages: &["helm.sh/helm/v4/cmd/helm"],
        programs: &["helm"],
    },
    Set {
        name: "kubectl",
        module: "kubernetes",
        packages: &["k8s.io/kubernetes/cmd/kubectl"],
        programs: &["kubectl"],
    },
];

const COMPONENTS: [Set; 3] = [
    Set {
        name: "etcd",
        module: "etcd",
        packages: &["go.etcd.io/etcd/server/v3"],
        programs: &["etcd"],
    },
    Set {
        name: "kubernetes",
        module: "kubernetes",
        packages: &[
            "k8s.io/kubernetes/cmd/kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-proxy",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            "k8s.io/kubernetes/cmd/kubelet",
        ],
        programs: &[
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubelet",
        ],
    },
    Set {
        name: "coredns",
        module: "coredns",
        packages: &["."],
        programs: &["coredns"],
    },
];

/// The folder with the programs.
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

/// All programs; builds those that are not there (some 14 minutes on two cores when nothing is cached).
pub fn ensure() -> Result<Binaries> {
    built(CLIENTS.iter().chain(&COMPONENTS))
}

/// kubectl and helm alone: for a cluster that somebody else keeps.
pub fn clients() -> Result<Binaries> {
    built(CLIENTS.iter())
}

fn built<'a>(sets: impl Iterator<Item = &'a Set>) -> Result<Binaries> {
    let sources = paths::project().join("tests/cluster/binaries");
    let dir = paths::cache()?.join("bin").join(key(&sources)?);
    fs::create_dir_all(&dir)?;
    let _lock = lock(&dir)?;
    for set in sets {
        let there = |program: &&str| dir.join(program).is_file();
        if !set.programs.iter().all(there) {
            go::build(set, &sources.join(set.module), &dir)?;
        }
    }
    Ok(Binaries { dir })
}

/// Two runs at once: the second waits and finds everything built.
fn lock(dir: &Path) -> Result<File> {
    let file = File::create(dir.join(".lock"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another run that builds the same programs ...");
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.lock().context("locking the folder of programs")?;
    Ok(file)
}

/// Names what the programs are built from: modules, sums, own sources, flags.
fn key(sources: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for set in CLIENTS.iter().chain(&COMPONENTS) {
        hash.update(go::arguments(set).join("\0"));
        for file in ["go.mod", "go.sum", "main.go"] {
            let path = sources.join(set.module).join(file);
            // Only CoreDNS has a main of its own.
            if path.exists() || file != "main.go" {
                let content = fs::read(&path).with_context(|| path.display().to_string())?;
                hash.update(Sha256::digest(content));
            }
        }
    }
    Ok(hex::encode(&hash.finalize()[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("cluster-{name}-{}", std::process::id()));
        for set in CLIENTS.iter().chain(&COMPONENTS) {
            let module = dir.join(set.module);
            fs::create_dir_all(&module).unwrap();
            fs::write(module.join("go.mod"), "module m").unwrap();
            fs::write(module.join("go.sum"), "sums").unwrap();
        }
        dir
    }

    #[test]
    fn the_key_follows_every_file_that_is_built_from() {
        let dir = sources("key");
        let mut seen = vec![key(&dir).unwrap()];
        assert_eq!(seen[0].len(), 12);
        assert_eq!(seen[0], key(&dir).unwrap());
        for file in [
            "etcd/go.sum",
            "kubernetes/go.mod",
            "helm/go.sum",
            "coredns/main.go",
        ] {
            fs::write(dir.join(file), "changed").unwrap();
            let changed = key(&dir).unwrap();
            assert!(!seen.contains(&changed), "{file} is not in the key");
            seen.push(changed);
        }
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_missing_module_is_named() {
        let dir = sources("nosum");
        fs::remove_file(dir.join("helm/go.sum")).unwrap();
        let error = format!("{:#}", key(&dir).unwrap_err());
        fs::remove_dir_all(&dir).unwrap();
        assert!(error.contains("helm/go.sum"), "{error}");
    }
}
