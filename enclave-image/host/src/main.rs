//! The production program of the parent: Nitro Enclaves, `AF_VSOCK`, the pod's DNS. No option leads anywhere else.

mod af_vsock;
mod nitro;
mod options;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use chamber_host::{Chamber, Dns, Host, Outcome, signalled};
use clap::Parser;
use tokio::net::TcpListener;

use crate::nitro::Nitro;
use crate::options::Options;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CHAMBER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    let options = Options::parse();
    let outcome = run(&options).await;
    let outcome = outcome.map_err(|error| format!("{error:#}"));
    chamber_host::conclude(outcome, &options.termination_log)
}

async fn run(options: &Options) -> anyhow::Result<Outcome> {
    let shutdown = signalled()?;
    let nitro = Nitro::new(options.launch())?;
    let chamber = Chamber {
        host: Host::from_environment(listen(options.metrics).await?).await?,
        workload: listen(options.workload).await?,
        resolver: Dns,
    };
    Ok(chamber.run(nitro, shutdown).await?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("listening on {address}"))
}
