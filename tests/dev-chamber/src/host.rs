//! `host`: the parent side, with the agent as a child process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use aws_config::BehaviorVersion;
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
    let outcome = match outcome(&options).await {
        Ok(outcome) => outcome,
        // The message is all that `kubectl describe` shows of a container that does not start.
        Err(error) => Outcome::SealFailed {
            message: format!("{error:#}"),
        },
    };
    let Some((message, good)) = chamber_host::message(&outcome) else {
        return Ok(ExitCode::SUCCESS);
    };
    if !good {
        tracing::error!("{message}");
    }
    let path = &options.termination_log;
    std::fs::write(path, message).with_context(|| format!("writing {}", path.display()))?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn outcome(options: &Options) -> anyhow::Result<Outcome> {
    let shutdown = drain::signalled()?;
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let region = aws.region().map(ToString::to_string);
    let host = Host {
        start: chamber_host::start(region, |name| std::env::var(name).ok())?,
        credentials: aws
            .credentials_provider()
            .context("no AWS credentials provider: the AWS configuration has none")?,
        listener: TcpListener::bind(options.metrics)
            .await
            .with_context(|| format!("listening on {}", options.metrics))?,
    };
    let mut launcher = AgentLauncher {
        enclave: options.enclave.clone(),
        workload: options.workload.clone(),
    };
    Ok(chamber_host::run(host, &mut launcher, shutdown).await?)
}
