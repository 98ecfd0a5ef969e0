//! One operator as a process of this machine: where it sits, and what can be done to it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use demo::aws::REGION;
use demo::manifests::OPERATOR;
use gate::Gate;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::Write;
use tokio::process::{Child, Command};

use crate::programs;
use crate::rig::Rig;

/// A gate, and the name under which an operator works behind it; operators come and go.
pub struct Seat {
    /// What the operator's calls pass through.
    pub gate: Gate,
    identity: String,
    program: PathBuf,
    kubeconfig: PathBuf,
    log: PathBuf,
}

/// A running operator. It is killed when this is dropped.
pub struct Operator(Child);

impl Seat {
    /// A seat for this build's operator.
    pub async fn take(rig: &Rig, identity: &str) -> Result<Self> {
        Self::take_with(rig, identity, programs::built("chamber-operator")?).await
    }

    /// A seat for the operator that is in this file.
    pub async fn take_with(rig: &Rig, identity: &str, program: PathBuf) -> Result<Self> {
        let gate = Gate::start(&rig.kubernetes, &rig.authority, &rig.aws).await?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "gate",
            "clusters": [{"name": "gate", "cluster": {"server": gate.kubernetes_url()}}],
            "users": [{"name": "operator", "user": {"token": rig.token}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "operator"}}],
        });
        let file = |suffix: &str| rig.logs().join(format!("{identity}{suffix}"));
        let kubeconfig = file(".kubeconfig");
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&kubeconfig)?
            .write_all(config.to_string().as_bytes())?;
        Ok(Self {
            gate,
            identity: identity.into(),
            program,
            kubeconfig,
            log: file(".log"),
        })
    }

    /// Starts an operator that serves this namespace. Its predecessor's lease is its own: the identity is the same.
    pub fn start(&self, rig: &Rig, namespace: &str) -> Result<Operator> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let child = Command::new(&self.program)
            .args(["run", "--listen", "127.0.0.1:0"])
            .args(["--identity", &self.identity])
            .args(["--lease-namespace", OPERATOR])
            .args(["--watch-namespace", namespace])
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", self.gate.aws_url())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(rig.stage.environment.operator_environment())
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
