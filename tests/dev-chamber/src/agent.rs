//! `agent`: plays the enclave. Its standard input is the socket to the host.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::ExitCode;

use anyhow::Context;
use aws_sdk_kms::config::SharedCredentialsProvider;
use tokio::net::UnixStream;
use unseal_agent::{LinkCredentials, SdkKms};

use crate::nsm::EmulatedNsm;
use crate::workload::SignerProcess;
use crate::{Enclave, Workload, drain, files};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    workload: Workload,
    #[command(flatten)]
    enclave: Enclave,
}

pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    // A terminal's Ctrl-C reaches every process: the agent ends when the host says so, or is gone.
    let _ignored = drain::signalled()?;
    let (module, trust) = files::security_module(&options.enclave)?;
    let nsm = EmulatedNsm(module);
    let mut signer = SignerProcess::new(options.workload.workload);
    unseal_agent::run(host_stream()?, nsm, kms, Ok(trust), &mut signer).await?;
    Ok(ExitCode::SUCCESS)
}

fn host_stream() -> anyhow::Result<UnixStream> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let stream = StdUnixStream::from(input);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream).context("standard input is no socket: `host` starts the agent")
}

/// KMS where the environment says; a real enclave knows no such setting.
fn kms(region: String, credentials: LinkCredentials) -> SdkKms {
    let told = credentials.clone();
    let mut config = unseal_agent::config(region, SharedCredentialsProvider::new(credentials));
    let endpoint = ["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    config.set_endpoint_url(endpoint);
    SdkKms::new(config, move || told.refused())
}
