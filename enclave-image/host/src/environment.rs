//! What a pod's environment makes of the host.

use std::io;

use aws_config::BehaviorVersion;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::settings::{SettingsError, start};
use crate::supervisor::Host;

/// Why the environment makes no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// No task.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No way to credentials.
    #[error("no AWS credentials provider: the AWS configuration has none")]
    Provider,
}

impl Host {
    /// Task, Region and source of credentials as the environment says: of AWS's variables those that the SDK reads.
    pub async fn from_environment(listener: TcpListener) -> Result<Self, EnvironmentError> {
        let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        let region = aws.region().map(ToString::to_string);
        Ok(Self {
            start: start(region, |name| std::env::var(name).ok())?,
            credentials: aws
                .credentials_provider()
                .ok_or(EnvironmentError::Provider)?,
            listener,
        })
    }
}

/// Resolves at the first SIGTERM or SIGINT after this call.
pub fn signalled() -> io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
