//! `kms-emulator --config PATH`: serves until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kms_emulator::{Config, Server};
use tokio::signal::unix::{SignalKind, signal};

/// A KMS and STS stand-in that enforces key policies and attestation. Not for production: it protects nothing.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file (JSON).
    #[arg(long)]
    config: PathBuf,
    /// Where KMS and STS answer.
    #[arg(long, default_value = "0.0.0.0:4566")]
    listen: SocketAddr,
    /// Where the admin port answers.
    #[arg(long, default_value = "0.0.0.0:4567")]
    admin: SocketAddr,
    /// Where KMS and STS answer over TLS; needs `tls` in the configuration.
    #[arg(long)]
    tls: Option<SocketAddr>,
    /// What to log, such as `info` or `kms_emulator=debug`.
    #[arg(long, env = "KMS_EMULATOR_LOG", default_value = "info")]
    log: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(&arguments.log)
        .with_writer(std::io::stderr)
        .init();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kms-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // Handlers first: a signal during the start must not be missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = Config::load(&arguments.config)?;
    let mut server = Server::start(config, arguments.listen, arguments.admin).await?;
    let tls = match arguments.tls {
        Some(address) => format!(" tls={}", server.also_over_tls(address).await?),
        None => String::new(),
    };
    // On standard output, for whoever started it with port 0.
    println!(
        "kms={} admin={}{tls}",
        server.kms_address(),
        server.admin_address()
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}
