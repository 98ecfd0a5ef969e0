//! An operator as a process of this machine, and what can be done to it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use demo::aws::REGION;
use demo::manifests::OPERATOR;
use fault_proxy::FaultProxy;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::Write;
use tokio::process::{Child, Command};

use crate::fault_bench::{FaultBench, lease_name};
use crate::programs;

/// A proxy, and the name under which an operator works behind it; operators come and go.
pub struct OperatorProcess {
    /// What the operator's calls pass through.
    pub proxy: FaultProxy,
    identity: String,
    /// Name of its Lease, where it is not the chart's.
    lease: Option<String>,
    program: PathBuf,
    kubeconfig: PathBuf,
    log: PathBuf,
}

/// A running operator. It is killed when this is dropped.
pub struct Operator(Child);

impl OperatorProcess {
    /// This build's operator, not started yet.
    pub async fn prepare(bench: &FaultBench, identity: &str) -> Result<Self> {
        Self::prepare_with(bench, identity, programs::built("dev-operator")?).await
    }

    /// The operator that is in this file, not started yet.
    pub async fn prepare_with(
        bench: &FaultBench,
        identity: &str,
        program: PathBuf,
    ) -> Result<Self> {
        let proxy = FaultProxy::start(&bench.kubernetes, &bench.authority, &bench.aws).await?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": proxy.kubernetes_url()}}],
            "users": [{"name": "operator", "user": {"token": bench.token}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "operator"}}],
        });
        let file = |suffix: &str| bench.logs().join(format!("{identity}{suffix}"));
        let kubeconfig = file(".kubeconfig");
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&kubeconfig)?
            .write_all(config.to_string().as_bytes())?;
        Ok(Self {
            proxy,
            identity: identity.into(),
            lease: None,
            program,
            kubeconfig,
            log: file(".log"),
        })
    }

    /// The same under a Lease of its own ([`FaultBench::allow_leases`]), beside other operators of the cluster.
    #[must_use]
    pub fn with_lease(self, name: &str) -> Self {
        Self {
            lease: Some(lease_name(name)),
            ..self
        }
    }

    /// Starts an operator that serves this namespace. Its predecessor's lease is its own: the identity is the same.
    pub fn start(&self, bench: &FaultBench, namespace: &str) -> Result<Operator> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let child = Command::new(&self.program)
            .args(["run", "--listen", "127.0.0.1:0"])
            .args(["--identity", &self.identity])
            .args(["--lease-namespace", OPERATOR])
            .args(["--watch-namespace", namespace])
            .args(
                self.lease
                    .iter()
                    .flat_map(|lease| ["--lease-name", lease.as_str()]),
            )
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", self.proxy.aws_url())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(bench.stage.environment.operator_environment())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        Ok(Operator(child))
    }
}

impl Operator {
    /// SIGKILL; returns when it is gone.
    pub async fn kill(mut self) -> Result<()> {
        self.0.kill().await.context("killing the operator")
    }

    /// SIGSTOP: it does nothing and knows nothing of it.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub fn wake(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> Result<()> {
        let ended = tokio::time::timeout(limit, self.0.wait()).await;
        ended.with_context(|| format!("the operator still runs after {limit:?}"))??;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.0.id().context("the operator has ended")?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("no process id")?;
        kill_process(pid, signal).context("signalling the operator")
    }
}
