//! `host`: the parent side, with the agent as a child process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chamber_host::{Host, Outcome};
use tokio::net::TcpListener;

use crate::launcher::AgentLauncher;
use crate::{Enclave, Workload, drain};

#[derive(clap::Args)]
pub struct Options {
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, env = "CHAMBER_DEV_METRICS", default_value = "0.0.0.0:3000")]
    metrics: SocketAddr,
    /// Where the result of a seal request, or the reason of a failure, is written.
    #[arg(
        long,
        env = "CHAMBER_TERMINATION_LOG",
        default_value = "/dev/termination-log"
    )]
    termination_log: PathBuf,
    #[command(flatten)]
    workload: Workload,
    #[command(flatten)]
    enclave: Enclave,
}

impl Options {
    /// The same options for a child.
    pub fn arguments(&self) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        vec![
            format!("--metrics={}", self.metrics),
            format!("--termination-log={}", path(&self.termination_log)),
            format!("--workload={}", self.workload.workload),
            format!("--nsm-signer={}", path(&self.enclave.nsm_signer)),
            format!("--measurement={}", path(&self.enclave.measurement)),
        ]
    }
}

pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let outcome = outcome(&options).await;
    // The message is all that `kubectl describe` shows of a container that does not start.
    let outcome = outcome.map_err(|error| format!("{error:#}"));
    Ok(chamber_host::conclude(outcome, &options.termination_log))
}

async fn outcome(options: &Options) -> anyhow::Result<Outcome> {
    let shutdown = drain::signalled()?;
    let listener = TcpListener::bind(options.metrics)
        .await
        .with_context(|| format!("listening on {}", options.metrics))?;
    let host = Host::from_environment(listener).await?;
    let mut launcher = AgentLauncher {
        enclave: options.enclave.clone(),
        workload: options.workload.clone(),
    };
    Ok(chamber_host::run(host, &mut launcher, shutdown).await?)
}
