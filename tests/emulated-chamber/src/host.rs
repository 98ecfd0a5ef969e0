//! `emulated-host`: the production host with an enclave that QEMU boots. It protects nothing.
//!
//! Its options are those of this machine, not of a Nitro instance: another `main` of the same library.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chamber_host::{Chamber, Host, Outcome, Resolver, signalled};
use clap::Parser;
use emulated_chamber::hypervisor::Emulator;
use enclave_sim::Launch;
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(
    version,
    about = "A chamber whose enclave QEMU boots. It protects nothing."
)]
struct Options {
    /// The enclave image file.
    #[arg(long, default_value = "/chamber.eif")]
    eif: PathBuf,
    /// The folder that tests/enclave-sim/qemu.sh made.
    #[arg(long, default_value = "/qemu")]
    qemu: PathBuf,
    /// The program with the emulated devices.
    #[arg(long, default_value = "/enclave-sim")]
    devices: PathBuf,
    /// Key and certificates of the emulated security module.
    #[arg(long, default_value = "/etc/nsm/nsm-signer.json")]
    nsm_signer: PathBuf,
    /// Where the devices' sockets are made; its path must be short.
    #[arg(long, default_value = "/run")]
    run: PathBuf,
    /// Memory of the enclave.
    #[arg(long, default_value_t = 256)]
    memory_mib: u32,
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, default_value = "0.0.0.0:3000")]
    metrics: SocketAddr,
    /// Address of the workload's port.
    #[arg(long, default_value = "0.0.0.0:9000")]
    workload: SocketAddr,
    /// Where KMS answers over TLS, host and port, in place of its endpoints.
    #[arg(long, env = "CHAMBER_TEST_KMS")]
    kms: String,
    /// Where the result of a seal request, or the reason of a failure, is written.
    #[arg(long, default_value = "/dev/termination-log")]
    termination_log: PathBuf,
}

/// Every endpoint that the relay allows leads to the KMS emulator.
struct ToEmulator(String);

impl Resolver for ToEmulator {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host(&self.0).await?.collect())
    }
}

#[tokio::main(flavor = "current_thread")]
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
    let chamber = Chamber {
        host: Host::from_environment(listen(options.metrics).await?).await?,
        workload: listen(options.workload).await?,
        resolver: ToEmulator(options.kms.clone()),
    };
    let mut launch = Launch::new(
        &options.eif,
        &options.qemu,
        &options.devices,
        &options.nsm_signer,
    );
    launch.memory_mib = options.memory_mib;
    let emulator = Emulator::new(launch, options.run.clone())?;
    Ok(chamber.run(emulator, shutdown).await?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("listening on {address}"))
}
