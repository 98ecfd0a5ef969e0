//! Where the cluster comes from: a clean one of ours, or the one that `KUBECONFIG` names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use cluster::images::Images;
use cluster::{Cluster, enclave_images, images, requirements};
use tokio::task::spawn_blocking;

use crate::releases::{Form, Release, Releases};
use crate::roots::Roots;

/// A cluster with the project's images in it.
#[derive(Clone, Debug)]
pub struct ClusterHost {
    cluster: Cluster,
    images: Images,
}

impl ClusterHost {
    /// A clean cluster of this name with freshly built images; where `KUBECONFIG` is set, that cluster as it is.
    pub async fn fresh(name: &str) -> Result<Self> {
        let name = name.to_owned();
        spawn_blocking(move || Self::start(&name)).await?
    }

    fn start(name: &str) -> Result<Self> {
        requirements::check()?;
        requirements::install()?;
        let host = if std::env::var_os("KUBECONFIG").is_some() {
            Self {
                cluster: Cluster::from_env(name)?,
                images: images::build_all()?,
            }
        } else {
            Self::start_ours(name)?
        };
        host.cluster.load(&host.images.tars)?;
        Ok(host)
    }

    /// Cluster and images at once: both are slow when nothing is built yet, and neither needs the other.
    fn start_ours(name: &str) -> Result<Self> {
        let (cluster, images) = std::thread::scope(|scope| {
            let cluster = scope.spawn(|| Cluster::fresh(name));
            let images = images::build_all();
            (cluster.join(), images)
        });
        Ok(Self {
            cluster: cluster.map_err(|_| anyhow!("starting cluster {name} panicked"))??,
            images: images.context("building the images")?,
        })
    }

    /// The cluster itself, to stop and start its components.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Access as its administrator.
    pub fn kubeconfig(&self) -> &Path {
        self.cluster.kubeconfig()
    }

    /// The helm program.
    pub fn helm(&self) -> PathBuf {
        self.cluster.binaries().helm()
    }

    /// The API server's audit log; none of a cluster that somebody else keeps.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.cluster.audit_log()
    }

    /// Where to look when something went wrong.
    pub fn traces(&self) -> String {
        match self.cluster.run_dir() {
            Some(dir) => format!(
                "{} (components in logs/, containers in pod-logs/), or `make demo-shell`",
                dir.display()
            ),
            None => format!(
                "`kubectl --kubeconfig {} logs`",
                self.kubeconfig().display()
            ),
        }
    }

    /// The private key of the authority that some releases measure, PEM.
    pub fn authority_key(&self) -> PathBuf {
        self.images.dir.join("authority.key.pem")
    }

    /// What stands for AWS's roots in the images of these releases.
    pub fn roots(&self) -> Result<Roots> {
        Roots::load(&self.images.dir)
    }

    /// The measured releases.
    pub fn releases(&self) -> Result<Releases> {
        let load = |name| Release::load(name, Form::Process, &self.images.dir);
        Ok(Releases {
            v1: load("v1")?,
            v2: load("v2")?,
            v3: load("v3")?,
        })
    }

    /// The same with v1 and v2 as enclave image files that QEMU boots: builds them and brings them into the node.
    pub async fn enclave_releases(&self) -> Result<Releases> {
        let host = self.clone();
        spawn_blocking(move || {
            let images = enclave_images::build()?.images;
            host.cluster.load(&images.tars)?;
            let load = |name| Release::load(name, Form::Enclave, &images.dir);
            Ok(Releases {
                v1: load("v1")?,
                v2: load("v2")?,
                ..host.releases()?
            })
        })
        .await?
    }
}
