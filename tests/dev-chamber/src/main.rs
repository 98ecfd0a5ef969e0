//! The development form of a chamber: host, agent, signer and probe in one binary.
//!
//! Host and agent are the production libraries; what stands in for a real enclave is here: a child process for the
//! enclave, an emulated security module under a test root, and KMS at whatever endpoint the environment names.

mod agent;
mod authority;
mod client;
mod drain;
mod files;
mod host;
mod init;
mod launcher;
mod measure;
mod nsm;
mod probe;
mod request;
mod roots;
mod signer;
mod workload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    version,
    about = "A chamber without Nitro hardware. It protects nothing."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the chamber: starts the agent, serves metrics and health. The container's entry point.
    Host(host::Options),
    /// Plays the enclave. Started by `host`.
    Agent(agent::Options),
    /// Signs with a key made of the master key. Started by `agent`.
    Signer(signer::Options),
    /// Asks KMS for each share once, and prints what it answers.
    Probe(probe::Options),
    /// Signs all the time through a URL and counts.
    Client(client::Options),
    /// Writes the measurement file of an image.
    Measure(measure::Options),
    /// Makes the key pair of an authority.
    Authority(authority::Options),
    /// Makes the roots of a test world: of security modules, and of KMS's TLS.
    Roots(roots::Options),
}

/// What makes this process an enclave of a certain image.
#[derive(Args, Clone, Debug)]
struct Enclave {
    /// Key and certificates of the emulated security module.
    #[arg(
        long,
        env = "CHAMBER_DEV_NSM_SIGNER",
        default_value = "/etc/nsm/nsm-signer.json"
    )]
    nsm_signer: PathBuf,
    /// The image's measurement file, as `measure` writes it.
    #[arg(
        long,
        env = "CHAMBER_DEV_MEASUREMENT",
        default_value = "/measurement.json"
    )]
    measurement: PathBuf,
}

/// Where the workload listens.
#[derive(Args, Clone, Debug)]
struct Workload {
    /// Address of the signing service.
    #[arg(long, env = "CHAMBER_DEV_WORKLOAD", default_value = "0.0.0.0:9000")]
    workload: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CHAMBER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let done = match Cli::parse().command {
        Command::Host(options) if init::is_needed() => init::run(&options.arguments()).await,
        Command::Host(options) => host::run(options).await,
        Command::Agent(options) => agent::run(options).await,
        Command::Signer(options) => signer::run(options).await,
        Command::Probe(options) => probe::run(options).await,
        Command::Client(options) => client::run(options).await,
        Command::Measure(options) => measure::run(&options),
        Command::Authority(options) => authority::run(&options),
        Command::Roots(options) => roots::run(&options),
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}
