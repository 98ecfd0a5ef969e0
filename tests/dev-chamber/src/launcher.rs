//! An "enclave" that is a child process, with a socket for vsock.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use chamber_host::{Enclave, Launcher};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::Workload;

/// The only variables that a child gets: like a real enclave, it has to ask for credentials.
const PASSED_ON: [&str; 3] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "CHAMBER_LOG"];

/// Starts `agent` with its end of a socket as standard input.
pub struct AgentLauncher {
    pub enclave: crate::Enclave,
    pub workload: Workload,
}

impl Launcher for AgentLauncher {
    type Enclave = AgentProcess;
    type Stream = UnixStream;

    async fn launch(&mut self) -> io::Result<(AgentProcess, UnixStream)> {
        let (own, other) = UnixStream::pair()?;
        let other = OwnedFd::from(other.into_std()?);
        let child = Command::new("/proc/self/exe")
            .arg("agent")
            .arg("--nsm-signer")
            .arg(&self.enclave.nsm_signer)
            .arg("--measurement")
            .arg(&self.enclave.measurement)
            .arg("--workload")
            .arg(self.workload.workload.to_string())
            .env_clear()
            .envs(passed_on())
            .stdin(Stdio::from(other))
            .kill_on_drop(true)
            .spawn()?;
        Ok((AgentProcess { child }, own))
    }
}

/// Pairs of the variables that children get.
pub fn passed_on() -> impl Iterator<Item = (&'static str, String)> {
    let value = |name| std::env::var(name).ok().map(|value| (name, value));
    PASSED_ON.into_iter().filter_map(value)
}

/// The running child.
pub struct AgentProcess {
    child: Child,
}

impl Enclave for AgentProcess {
    async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("the agent ended with {status}"),
            Err(error) => format!("the agent cannot be waited for: {error}"),
        }
    }

    async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the agent was not there to be killed");
        }
    }
}
