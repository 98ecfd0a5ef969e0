//! Where the cluster comes from: one of ours, or the one that `KUBECONFIG` names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::releases::{Release, Releases};

/// A cluster, the programs that speak to it, and where its traces are.
#[derive(Clone, Debug)]
pub struct ClusterHost {
    kubeconfig: PathBuf,
    helm: PathBuf,
    measurements: PathBuf,
    traces: String,
}

impl ClusterHost {
    /// A clean cluster of this name with the images in it; where `KUBECONFIG` is set, that cluster as it is.
    pub async fn fresh(_name: &str) -> Result<Self> {
        let kubeconfig = std::env::var_os("KUBECONFIG")
            .map(PathBuf::from)
            .context("KUBECONFIG")?;
        Ok(Self {
            kubeconfig,
            helm: std::env::var_os("HELM")
                .map(PathBuf::from)
                .context("HELM")?,
            measurements: std::env::var_os("MEASUREMENTS")
                .map(PathBuf::from)
                .context("MEASUREMENTS")?,
            traces: "kubectl logs".into(),
        })
    }

    /// Access as its administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The helm program.
    pub fn helm(&self) -> &Path {
        &self.helm
    }

    /// Where to look when something went wrong.
    pub fn traces(&self) -> &str {
        &self.traces
    }

    /// The measured releases.
    pub fn releases(&self) -> Result<Releases> {
        let load = |name: &'static str| {
            let file = self
                .measurements
                .join(format!("chamber-{name}.measurement.json"));
            Release::load(name, &format!("chamber.local/chamber:{name}"), &file)
        };
        Ok(Releases {
            v1: load("v1")?,
            v2: load("v2")?,
        })
    }
}
