//! The signer as the agent's workload: a child process that gets the master key over its standard input.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use sealed_blob::MasterKey;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use unseal_agent::Workload;

use crate::launcher::passed_on;

/// How long requests in flight may take at the end; below the host's patience.
const DRAIN: Duration = Duration::from_secs(20);

/// The signer's process, if it runs.
pub struct SignerProcess {
    listen: SocketAddr,
    child: Option<Child>,
}

impl SignerProcess {
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            child: None,
        }
    }
}

impl Workload for SignerProcess {
    async fn start(&mut self) -> io::Result<()> {
        if let Some(child) = &mut self.child
            && child.try_wait()?.is_none()
        {
            return Ok(());
        }
        let child = Command::new("/proc/self/exe")
            .arg("signer")
            .arg("--workload")
            .arg(self.listen.to_string())
            .env_clear()
            .envs(passed_on())
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    async fn hand_over(&mut self, key: &MasterKey) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let child = self.child.as_mut().ok_or_else(gone)?;
        // The pipe stays open: its end tells the signer that the agent is gone.
        let pipe = child.stdin.as_mut().ok_or_else(gone)?;
        pipe.write_all(key.expose()).await?;
        pipe.flush().await
    }

    async fn ended(&mut self) -> String {
        let Some(child) = &mut self.child else {
            return "the signer was not started".into();
        };
        // `Child::wait` would close the pipe, which the signer takes for the wish to end.
        let pipe = child.stdin.take();
        let status = child.wait().await;
        drop(pipe);
        match status {
            Ok(status) => format!("the signer ended with {status}"),
            Err(error) => format!("the signer cannot be waited for: {error}"),
        }
    }

    async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        drop(child.stdin.take());
        if tokio::time::timeout(DRAIN, child.wait()).await.is_err() {
            tracing::warn!("the signer did not end in time");
        }
    }
}
