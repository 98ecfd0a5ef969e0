//! AWS credentials, asked of the host when they are needed.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};
use chamber_link::{Sender, ToHost, Wanted};
use tokio::sync::{Mutex, mpsc};

/// An answer of the host: credentials, or why there are none.
pub(crate) type Answer = std::result::Result<chamber_link::Credentials, String>;

/// Asks the host over the link. The SDK keeps what it got until shortly before its end.
///
/// Credentials from the host are no secret from it: what they may decrypt is bounded by attestation alone.
pub struct LinkCredentials {
    sender: Sender<ToHost>,
    // Held over question and answer, so that answers are never mixed up.
    answers: Mutex<mpsc::Receiver<Answer>>,
}

impl fmt::Debug for LinkCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkCredentials")
    }
}

impl LinkCredentials {
    pub(crate) fn new(sender: Sender<ToHost>, answers: mpsc::Receiver<Answer>) -> Self {
        Self {
            sender,
            answers: Mutex::new(answers),
        }
    }

    async fn ask(&self) -> Result {
        let mut answers = self.answers.lock().await;
        // An answer to a question that was given up would be stale.
        while answers.try_recv().is_ok() {}
        let sent = self
            .sender
            .send(ToHost::NeedCredentials(Wanted::default()))
            .await;
        sent.map_err(CredentialsError::provider_error)?;
        match answers.recv().await {
            Some(Ok(answer)) => Ok(Credentials::new(
                answer.access_key_id.clone(),
                answer.secret_access_key.clone(),
                answer.session_token.clone(),
                answer
                    .expires_at
                    .and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at))),
                "host",
            )),
            Some(Err(why)) => Err(CredentialsError::provider_error(format!(
                "the host has no AWS credentials: {why}"
            ))),
            None => Err(CredentialsError::provider_error("the host is gone")),
        }
    }
}

impl ProvideCredentials for LinkCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}
