//! etcd, API server and controller manager; what else a cluster has is stopped.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};
use chamber_api::ChamberCluster;
use cluster::Cluster;
use demo::kubernetes::{apply, documents};
use demo::wait::{self, MINUTE, Seen};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, Client, Config, CustomResourceExt};
use serde_json::json;
use tokio::process::{Child, Command};

/// The cluster's name on this machine.
const NAME: &str = "scale";
/// No pod runs, and nothing is scheduled.
const SUPERFLUOUS: [&str; 5] = [
    "kubelet",
    "kube-scheduler",
    "kube-proxy",
    "coredns",
    "kube-controller-manager",
];
/// What a `ChamberCluster` rests on. Without the controllers of nodes a pod needs no node that lives.
const CONTROLLERS: &str = "replicaset-controller,disruption-controller,garbage-collector-controller,\
    namespace-controller,serviceaccount-controller";
/// Where the operator's Lease is.
pub const OPERATOR: &str = "chamber-operator";

/// A control plane; it ends when this is dropped.
pub struct ControlPlane {
    _manager: Child,
    /// Of the administrator.
    pub kubeconfig: PathBuf,
    /// Where logs go.
    pub folder: PathBuf,
    /// As administrator.
    pub client: Client,
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Err(error) = Cluster::down(NAME) {
            eprintln!("cluster {NAME}: {error:#}");
        }
    }
}

impl ControlPlane {
    /// A new one with these namespaces and the CRD.
    pub async fn start(namespaces: &[String]) -> Result<Self> {
        let cluster = tokio::task::spawn_blocking(|| Cluster::fresh(NAME)).await??;
        for component in SUPERFLUOUS {
            cluster.stop(component)?;
        }
        let folder = cluster.run_dir().context("a cluster of ours")?.to_owned();
        let kubeconfig = cluster.kubeconfig().to_owned();
        let this = Self {
            _manager: manager(&cluster)?,
            client: client(&kubeconfig).await?,
            kubeconfig,
            folder,
        };
        this.prepare(namespaces).await?;
        Ok(this)
    }

    async fn prepare(&self, namespaces: &[String]) -> Result<()> {
        let crd = include_str!("../../../crds/chamberclusters.chamber.dev.yaml");
        for object in documents(crd)? {
            apply(&self.client, &object).await?;
        }
        let crds = Api::<CustomResourceDefinition>::all(self.client.clone());
        let established = await_condition(
            crds,
            ChamberCluster::crd_name(),
            conditions::is_crd_established(),
        );
        tokio::time::timeout(MINUTE, established).await??;
        let ours = [OPERATOR.to_owned()];
        for name in namespaces.iter().chain(&ours) {
            let namespace =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            apply(&self.client, &namespace).await?;
        }
        for name in namespaces {
            let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), name);
            let what = "the service account that pods need";
            wait::until(&accounts, "default", MINUTE, what, |found| match found {
                Some(_) => Seen::Yes(()),
                None => Seen::NotYet("it is not there".into()),
            })
            .await?;
        }
        Ok(())
    }
}

/// A controller manager that is not slowed down: its own limits are not what is measured.
fn manager(cluster: &Cluster) -> Result<Child> {
    let folder = cluster.run_dir().context("a cluster of ours")?;
    let log = File::create(folder.join("logs/scale-manager.log"))?;
    let file = |name: &str| folder.join(name);
    Command::new(cluster.binaries().path("kube-controller-manager"))
        .arg("--kubeconfig")
        // One client for all controllers: those of their own would each have an account to make first.
        .arg(cluster.kubeconfig())
        .arg("--service-account-private-key-file")
        .arg(file("pki/sa.key"))
        .arg("--root-ca-file")
        .arg(file("pki/ca.crt"))
        .args(["--leader-elect=false", "--secure-port=0"])
        .args(["--kube-api-qps=2000", "--kube-api-burst=4000"])
        .args([
            "--concurrent-replicaset-syncs=16",
            "--controllers",
            CONTROLLERS,
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("starting kube-controller-manager")
}

async fn client(kubeconfig: &std::path::Path) -> Result<Client> {
    let options = KubeConfigOptions::default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(Client::try_from(config)?)
}
