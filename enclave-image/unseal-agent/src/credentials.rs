//! AWS credentials, asked of the host when they are needed.

use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};
use chamber_link::{Sender, ToHost, Wanted};
use tokio::sync::{Mutex, mpsc};

/// An answer of the host: credentials, or why there are none.
pub(crate) type Answer = std::result::Result<chamber_link::Credentials, String>;

/// Tells the enclave's time in seconds since 1970.
type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Asks the host over the link. The SDK keeps what it got until shortly before its end, or until KMS refuses it.
///
/// Credentials from the host are no secret from it: what they may decrypt is bounded by attestation alone.
#[derive(Clone)]
pub struct LinkCredentials {
    shared: Arc<Shared>,
}

struct Shared {
    sender: Sender<ToHost>,
    // Held over question and answer, so that answers are never mixed up.
    answers: Mutex<mpsc::Receiver<Answer>>,
    said: StdMutex<Said>,
}

/// What the next question says beside itself.
#[derive(Default)]
struct Said {
    last: Option<String>,
    refused: Option<String>,
    clock: Option<Clock>,
}

impl fmt::Debug for LinkCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkCredentials")
    }
}

impl LinkCredentials {
    pub(crate) fn new(sender: Sender<ToHost>, answers: mpsc::Receiver<Answer>) -> Self {
        let shared = Shared {
            sender,
            answers: Mutex::new(answers),
            said: StdMutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Questions tell this clock (seconds since 1970) from now on, so that the host can say where it is wrong.
    pub fn tell_clock(&self, clock: impl Fn() -> u64 + Send + Sync + 'static) {
        self.said().clock = Some(Box::new(clock));
    }

    /// KMS calls the last credentials expired: the next question says so.
    pub fn refused(&self) {
        let mut said = self.said();
        let Said { last, refused, .. } = &mut *said;
        refused.clone_from(last);
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Every change is complete before the next can panic.
        let said = self.shared.said.lock();
        said.unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> Wanted {
        let said = self.said();
        Wanted {
            refused: said.refused.clone(),
            clock: said.clock.as_ref().map(|clock| clock()),
        }
    }

    fn got(&self, answer: &chamber_link::Credentials) {
        let mut said = self.said();
        said.last = Some(answer.access_key_id.clone());
        said.refused = None;
    }

    async fn ask(&self) -> Result {
        let mut answers = self.shared.answers.lock().await;
        // An answer to a question that was given up would be stale.
        while answers.try_recv().is_ok() {}
        let question = ToHost::NeedCredentials(self.wanted());
        let sent = self.shared.sender.send(question).await;
        sent.map_err(CredentialsError::provider_error)?;
        match answers.recv().await {
            Some(Ok(answer)) => {
                self.got(&answer);
                Ok(Credentials::new(
                    answer.access_key_id.clone(),
                    answer.secret_access_key.clone(),
                    answer.session_token.clone(),
                    answer
                        .expires_at
                        .and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at))),
                    "host",
                ))
            }
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
