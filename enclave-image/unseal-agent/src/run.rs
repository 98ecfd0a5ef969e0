//! The agent's life: greet the host, do its task, end gracefully.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Link, LinkError, Receiver, Sender, Start, Task, ToAgent, ToHost};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};

use crate::agent::{Agent, failed, share};
use crate::credentials::{Answer, LinkCredentials};
use crate::gate::Gate;
use crate::{
    Backoff, Kms, Nsm, NsmError, Sealed, ShareReport, Tools, Trust, TrustError, Workload, rewrap,
    seal,
};

/// How long a host may take to say what to do.
const START: Duration = Duration::from_mins(1);

/// Why the agent ended other than by its host's wish. A refusal by KMS is never a reason.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The stream to the host failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The host did not begin with [`ToAgent::Start`].
    #[error(
        "the host's first message was not Start: host and enclave image are of different releases"
    )]
    NoStart,
    /// The host did not say what to do.
    #[error("the host said nothing for {START:?} after it had connected: start the enclave anew")]
    Silent,
    /// The security module does not tell PCR0.
    #[error(transparent)]
    Nsm(#[from] NsmError),
}

/// Runs until the host says stop or goes away.
///
/// `kms` makes the client from a region and the credentials that the host provides; `trust` is what the image measures, or
/// why that cannot be told: the host hears it.
pub async fn run<N: Nsm, K: Kms, W: Workload>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    nsm: N,
    kms: impl FnOnce(String, LinkCredentials) -> K,
    trust: Result<Trust, TrustError>,
    workload: &mut W,
) -> Result<(), AgentError> {
    let Link {
        sender,
        mut receiver,
    } = chamber_link::connect::<ToAgent, ToHost>(stream);
    let image_sha384 = nsm.pcr(0)?.to_string();
    let hello = ToHost::Hello {
        image_sha384,
        attests: true,
    };
    sender.send(hello).await?;
    let first = tokio::time::timeout(START, receiver.receive()).await;
    let ToAgent::Start(start) = first.map_err(|_| AgentError::Silent)?? else {
        return Err(AgentError::NoStart);
    };
    // Before anything else: what the register says has to hold for all that this enclave ever does.
    let authorized = trust.and_then(|trust| trust.accept(&nsm, start.manifest.as_deref()));
    let (nsm, gate) = (Arc::new(nsm), Arc::new(Gate::default()));
    let (answers, from_host) = mpsc::channel(1);
    let (stop, stopped) = oneshot::channel();
    let (asked, questions) = watch::channel(String::new());
    let prover = (Arc::clone(&nsm), Arc::clone(&gate));
    tokio::spawn(prove(prover, sender.clone(), questions));
    tokio::spawn(listen(receiver, answers, asked, stop));
    let credentials = LinkCredentials::new(sender.clone(), from_host);
    let work = async {
        match authorized {
            Ok(authorization) => {
                gate.under(authorization.digest());
                let kms = Arc::new(kms(start.region.clone(), credentials));
                let agent = Agent {
                    tools: Tools { nsm, kms },
                    sender: sender.clone(),
                    authorization,
                    gate,
                };
                agent.work(start.task, workload).await
            }
            Err(error) => refuse(&sender, &start, &error.to_string()).await,
        }
    };
    let ended = tokio::select! {
        ended = work => ended,
        // A dropped sender means that the listener is gone, and the host with it.
        _ = stopped => Ok(()),
    };
    workload.stop().await;
    let closed = sender.close().await;
    Ok(ended.and(closed)?)
}

/// Does nothing, and says why until the host ends the enclave: it takes a manifest once only.
async fn refuse(sender: &Sender<ToHost>, start: &Start, why: &str) -> Result<(), LinkError> {
    if let Task::Seal(_) | Task::Rewrap { .. } = start.task {
        let message = why.to_owned();
        return sender.send(ToHost::SealFailed { message }).await;
    }
    let mut backoff = Backoff::default();
    loop {
        let delay = backoff.delay();
        tracing::error!(why, "still sealed");
        sender.send(failed(why.to_owned(), delay)).await?;
        tokio::time::sleep(delay).await;
    }
}

/// Answers whoever asks for proof of this chamber's state, beside all other work: one that waits for KMS answers, too.
///
/// One document at a time, and of the nonces that came meanwhile the last: a host that asks without reading keeps neither
/// the security module busy nor memory in use.
async fn prove<N: Nsm>(
    (nsm, gate): (Arc<N>, Arc<Gate>),
    sender: Sender<ToHost>,
    mut questions: watch::Receiver<String>,
) {
    while questions.changed().await.is_ok() {
        let nonce = questions.borrow_and_update().clone();
        let answer = gate.answer(Arc::clone(&nsm), nonce).await;
        if sender.send(answer).await.is_err() {
            return;
        }
    }
}

/// Takes the host's messages apart until it says stop or goes away.
async fn listen(
    mut receiver: Receiver<ToAgent>,
    answers: mpsc::Sender<Answer>,
    asked: watch::Sender<String>,
    stop: oneshot::Sender<()>,
) {
    loop {
        let answer = match receiver.receive().await {
            Ok(ToAgent::Credentials(credentials)) => Ok(credentials),
            Ok(ToAgent::NoCredentials(why)) => Err(why),
            Ok(ToAgent::Attest { nonce }) => {
                asked.send_replace(nonce);
                continue;
            }
            Ok(ToAgent::Start(_)) => continue,
            Ok(ToAgent::Stop) | Err(LinkError::Closed) => break,
            Err(error) => {
                tracing::error!(%error, "the link to the host failed");
                break;
            }
        };
        // A full channel holds an answer that nobody asked for any more.
        let _ = answers.try_send(answer);
    }
    let _ = stop.send(());
}

impl<N: Nsm, K: Kms> Agent<N, K> {
    async fn work(&self, task: Task, workload: &mut impl Workload) -> Result<(), LinkError> {
        match task {
            Task::Unseal { blob, cluster_id } => {
                self.keep_unsealed(&blob, cluster_id.as_deref(), workload)
                    .await
            }
            Task::Seal(request) => {
                let (reports, incoming) = mpsc::unbounded_channel();
                let made = seal(&self.tools, &self.authorization, &request, reports);
                // Boxed, as the other: most enclaves unseal, and need no room for them.
                self.offer(Box::pin(made), incoming).await
            }
            Task::Rewrap { blob, previous } => {
                let (reports, incoming) = mpsc::unbounded_channel();
                let given = (blob.as_str(), previous.as_str());
                let made = rewrap(&self.tools, &self.authorization, given, reports);
                self.offer(Box::pin(made), incoming).await
            }
        }
    }

    /// Tells what becomes of each share while a blob is made, and then the blob, or why there is none.
    async fn offer(
        &self,
        made: impl Future<Output = Result<Sealed, impl fmt::Display>>,
        mut incoming: mpsc::UnboundedReceiver<ShareReport>,
    ) -> Result<(), LinkError> {
        let forward = async {
            while let Some(report) = incoming.recv().await {
                self.sender.send(share(report)).await?;
            }
            Ok::<_, LinkError>(())
        };
        let (sealed, forwarded) = tokio::join!(made, forward);
        forwarded?;
        let said = match sealed {
            Ok(sealed) => ToHost::Sealed {
                blob: BASE64.encode(sealed.blob),
                commitment: hex::encode(sealed.commitment),
            },
            Err(error) => ToHost::SealFailed {
                message: error.to_string(),
            },
        };
        self.sender.send(said).await
    }
}
