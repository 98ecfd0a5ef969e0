//! One enclave's time: from its agent's greeting to its end.

use std::sync::Arc;
use std::time::Duration;

use chamber_link::{Link, Receiver, Sender, Start, Task, ToAgent, ToHost, Wanted};
use measurement::Pcr;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::credentials::CredentialsCache;
use crate::launcher::Enclave;
use crate::outcome::Outcome;
use crate::state::State;

/// From the connection until the agent names its image.
const HELLO_TIME: Duration = Duration::from_secs(30);
/// How long the agent may take to end the workload. With 5 s before SIGTERM and 2 s for the last answers it is below
/// Kubernetes' 30 s until SIGKILL.
const GRACE: Duration = Duration::from_secs(22);
/// How long the agent may leave a message unread.
const SEND_TIME: Duration = Duration::from_secs(5);
/// How long an enclave may live on after its agent has closed the stream.
const CLOSING: Duration = Duration::from_secs(5);

/// How a session ended.
pub(crate) enum End {
    /// The host has nothing more to do.
    Done(Outcome),
    /// The enclave ended by itself.
    Crashed(String),
}

pub(crate) struct Session<'a, E> {
    pub start: &'a Start,
    pub credentials: &'a Arc<CredentialsCache>,
    pub state: &'a Arc<State>,
    /// The image that was started, where it is known.
    pub expected: Option<Pcr>,
    /// Held while the agent's question for credentials is answered.
    pub asking: Arc<Semaphore>,
    /// Whether the agent said anything since it was told its task.
    pub heard: bool,
    pub enclave: E,
}

impl<E: Enclave> Session<'_, E> {
    /// Serves the agent until it ends, or has ended after `shutdown` came.
    pub async fn run(
        mut self,
        link: Link<ToHost, ToAgent>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> End {
        let Link {
            sender,
            mut receiver,
        } = link;
        if let Some(end) = self.greeted(&mut receiver, &sender, shutdown).await {
            return end;
        }
        if let Err(why) = say(&sender, ToAgent::Start(self.start.clone())).await {
            return self.lost(why).await;
        }
        match self.serve(receiver, &sender, shutdown).await {
            End::Crashed(why) if !self.heard => self.without_a_word(why),
            end => end,
        }
    }

    /// An agent that does not know its task just ends, and would each time; every agent knows the other two.
    fn without_a_word(&self, why: String) -> End {
        match self.start.task {
            Task::Rewrap { .. } => End::Done(Outcome::SealFailed {
                message: format!(
                    "the enclave ended without a word after it was told to wrap shares anew ({why}): if it does so again, the agent in its image is older than that task, and a newer image has to be released first"
                ),
            }),
            Task::Unseal { .. } | Task::Seal(_) => End::Crashed(why),
        }
    }

    async fn serve(
        &mut self,
        mut receiver: Receiver<ToHost>,
        sender: &Sender<ToAgent>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> End {
        let state = Arc::clone(self.state);
        let mut silence = std::pin::pin!(state.questions.fell_silent());
        loop {
            tokio::select! {
                message = receiver.receive() => match message {
                    Ok(message) => {
                        if let Some(outcome) = self.take(message, sender) {
                            self.stop(sender).await;
                            return End::Done(outcome);
                        }
                    }
                    Err(error) => return self.lost(error.to_string()).await,
                },
                nonce = self.state.questions.next() => {
                    if let Err(why) = say(sender, ToAgent::Attest { nonce }).await {
                        return self.lost(why).await;
                    }
                }
                how = self.enclave.ended() => return self.last_words(how, receiver, sender).await,
                () = &mut silence => {
                    self.enclave.kill().await;
                    return End::Crashed("its agent answers no question any more".to_owned());
                }
                () = &mut *shutdown => {
                    self.state.stopping();
                    self.stop(sender).await;
                    return End::Done(Outcome::Stopped);
                }
            }
        }
    }

    /// Waits for the agent's first words. An enclave of another image than the one that was started is told nothing.
    async fn greeted(
        &mut self,
        receiver: &mut Receiver<ToHost>,
        sender: &Sender<ToAgent>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> Option<End> {
        let first = tokio::select! {
            first = timeout(HELLO_TIME, receiver.receive()) => first,
            how = self.enclave.ended() => return Some(End::Crashed(how)),
            () = &mut *shutdown => {
                self.state.stopping();
                self.stop(sender).await;
                return Some(End::Done(Outcome::Stopped));
            }
        };
        let why = match first {
            Ok(Ok(ToHost::Hello { image_sha384, attests })) => match self.is_expected(&image_sha384) {
                Ok(image) => {
                    tracing::info!(%image, "enclave started");
                    self.state.questions.greeted(attests);
                    self.state.greeted(image);
                    return None;
                }
                Err(why) => why,
            },
            Ok(Ok(_)) => "its agent's first message was not Hello: host and enclave image are of different releases".to_owned(),
            // How it ended says more.
            Ok(Err(error)) => return Some(self.lost(error.to_string()).await),
            Err(_) => format!("its agent did not greet within {HELLO_TIME:?}"),
        };
        self.enclave.kill().await;
        Some(End::Crashed(why))
    }

    fn is_expected(&self, image_sha384: &str) -> Result<Pcr, String> {
        let found = Pcr::parse(image_sha384).map_err(|error| format!("its PCR0 {error}"))?;
        match self.expected {
            Some(expected) if expected != found => Err(format!(
                "it attests PCR0 {found}, and the image that was started has {expected}: it is told nothing"
            )),
            _ => Ok(found),
        }
    }

    /// Notes a message; a result of sealing ends the session.
    fn take(&mut self, message: ToHost, sender: &Sender<ToAgent>) -> Option<Outcome> {
        self.heard = true;
        self.state.note(&message);
        match message {
            ToHost::Sealed { blob, commitment } => {
                return Some(Outcome::Sealed { blob, commitment });
            }
            ToHost::SealFailed { message } => return Some(Outcome::SealFailed { message }),
            ToHost::NeedCredentials(wanted) => self.give_credentials(wanted, sender),
            ToHost::AttemptFailed {
                message,
                retry_in_millis,
            } => tracing::warn!(why = message, retry_in_millis, "the chamber stays sealed"),
            ToHost::Unsealed { millis } => tracing::info!(millis, "unsealed"),
            ToHost::Spoiled { indices } => {
                tracing::error!(?indices, "shares were tampered with");
            }
            ToHost::WorkloadEnded { message } => {
                tracing::warn!(how = message, "the workload ended");
            }
            ToHost::Share {
                key,
                result,
                detail,
            } => tracing::info!(key, result = result.name(), detail, "share"),
            // A second greeting says nothing new.
            ToHost::Hello { .. } | ToHost::Attestation { .. } => {}
            ToHost::NoAttestation { message, .. } => {
                tracing::info!(why = message, "no proof of the enclave's state");
            }
        }
        None
    }

    /// Answers beside all other work. One question at a time: the answer to it is as good for those that come meanwhile.
    fn give_credentials(&self, wanted: Wanted, sender: &Sender<ToAgent>) {
        let Ok(turn) = Arc::clone(&self.asking).try_acquire_owned() else {
            return;
        };
        let (credentials, sender) = (Arc::clone(self.credentials), sender.clone());
        tokio::spawn(async move {
            // An agent that is gone needs none.
            let _ = sender.send(credentials.answer(&wanted).await).await;
            drop(turn);
        });
    }

    /// Asks the agent to end, and sees to it that it does.
    async fn stop(&mut self, sender: &Sender<ToAgent>) {
        let asked = say(sender, ToAgent::Stop).await;
        let deadline = Instant::now() + if asked.is_ok() { GRACE } else { CLOSING };
        if let Ok(how) = tokio::time::timeout_at(deadline, self.enclave.ended()).await {
            tracing::info!(how, "the enclave ended");
        } else {
            tracing::warn!("the enclave did not end in time; ending it");
            self.enclave.kill().await;
        }
    }

    /// What an enclave said just before its end still counts: it may be the sealed blob.
    async fn last_words(
        &mut self,
        how: String,
        mut receiver: Receiver<ToHost>,
        sender: &Sender<ToAgent>,
    ) -> End {
        let deadline = Instant::now() + CLOSING;
        while let Ok(Ok(message)) = tokio::time::timeout_at(deadline, receiver.receive()).await {
            if let Some(outcome) = self.take(message, sender) {
                return End::Done(outcome);
            }
        }
        End::Crashed(how)
    }

    /// The stream is of no more use: the enclave has to end too.
    async fn lost(&mut self, why: String) -> End {
        let Ok(how) = timeout(CLOSING, self.enclave.ended()).await else {
            self.enclave.kill().await;
            return End::Crashed(format!("its agent fell silent: {why}"));
        };
        End::Crashed(how)
    }
}

/// Sends one message, and waits no longer than that for an agent that does not read.
async fn say(sender: &Sender<ToAgent>, message: ToAgent) -> Result<(), String> {
    match timeout(SEND_TIME, sender.send(message)).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "it does not read what it is told for {SEND_TIME:?}"
        )),
    }
}
