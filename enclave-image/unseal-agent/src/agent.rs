//! The agent's life: greet the host, do its task, end gracefully.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_kms::config::SharedCredentialsProvider;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Link, LinkError, Receiver, SealRequest, Sender, Task, ToAgent, ToHost};
use sealed_blob::InnerBlob;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use crate::credentials::{Answer, LinkCredentials};
use crate::rest::Rest;
use crate::{Attempt, Backoff, Kms, Nsm, NsmError, ShareReport, Workload, seal};

/// A workload that ran this long did not fail because of how it was started.
const STEADY: Duration = Duration::from_mins(1);

/// The ways out of the enclave: security module and KMS.
pub struct Tools<N, K> {
    /// The security module.
    pub nsm: Arc<N>,
    /// KMS.
    pub kms: Arc<K>,
}

impl<N, K> Clone for Tools<N, K> {
    fn clone(&self) -> Self {
        Self {
            nsm: Arc::clone(&self.nsm),
            kms: Arc::clone(&self.kms),
        }
    }
}

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
    /// The security module does not tell PCR0.
    #[error(transparent)]
    Nsm(#[from] NsmError),
}

/// Runs until the host says stop or goes away.
///
/// `kms` makes the client from a region and the credentials that the host provides.
pub async fn run<N: Nsm, K: Kms, W: Workload>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    nsm: N,
    kms: impl FnOnce(String, SharedCredentialsProvider) -> K,
    workload: &mut W,
) -> Result<(), AgentError> {
    let Link {
        sender,
        mut receiver,
    } = chamber_link::connect::<ToAgent, ToHost>(stream);
    let image_sha384 = nsm.pcr(0)?.to_string();
    sender.send(ToHost::Hello { image_sha384 }).await?;
    let ToAgent::Start(start) = receiver.receive().await? else {
        return Err(AgentError::NoStart);
    };
    let (answers, from_host) = mpsc::channel(1);
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(listen(receiver, answers, stop));
    let credentials = LinkCredentials::new(sender.clone(), from_host);
    let tools = Tools {
        nsm: Arc::new(nsm),
        kms: Arc::new(kms(
            start.region,
            SharedCredentialsProvider::new(credentials),
        )),
    };
    let agent = Agent { tools, sender };
    let ended = tokio::select! {
        ended = agent.work(start.task, workload) => ended,
        // A dropped sender means that the listener is gone, and the host with it.
        _ = stopped => Ok(()),
    };
    workload.stop().await;
    let closed = agent.sender.close().await;
    Ok(ended.and(closed)?)
}

/// Takes the host's messages apart until it says stop or goes away.
async fn listen(
    mut receiver: Receiver<ToAgent>,
    answers: mpsc::Sender<Answer>,
    stop: oneshot::Sender<()>,
) {
    loop {
        let answer = match receiver.receive().await {
            Ok(ToAgent::Credentials(credentials)) => Ok(credentials),
            Ok(ToAgent::NoCredentials(why)) => Err(why),
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

struct Agent<N, K> {
    tools: Tools<N, K>,
    sender: Sender<ToHost>,
}

impl<N: Nsm, K: Kms> Agent<N, K> {
    async fn work(&self, task: Task, workload: &mut impl Workload) -> Result<(), LinkError> {
        match task {
            Task::Unseal { blob, cluster_id } => {
                self.keep_unsealed(&blob, cluster_id.as_deref(), workload)
                    .await
            }
            Task::Seal(request) => self.seal(&request).await,
        }
    }

    /// Unseals, waits for the workload's end, unseals again; only a lost host ends it.
    async fn keep_unsealed(
        &self,
        blob: &str,
        cluster_id: Option<&str>,
        workload: &mut impl Workload,
    ) -> Result<(), LinkError> {
        let mut backoff = Backoff::default();
        loop {
            let began = Instant::now();
            let rest = match self.unseal(blob, cluster_id, workload).await? {
                Ok(rest) => rest,
                Err(message) => {
                    let delay = backoff.delay();
                    tracing::warn!(why = message, ?delay, "still sealed");
                    self.sender.send(failed(message, delay)).await?;
                    tokio::time::sleep(delay).await;
                    continue;
                }
            };
            let message = tokio::select! {
                message = workload.ended() => message,
                lost = self.ask_for(rest) => return Err(lost),
            };
            tracing::warn!(how = message, "the workload ended");
            self.sender.send(ToHost::WorkloadEnded { message }).await?;
            if began.elapsed() > STEADY {
                backoff = Backoff::default();
            }
            tokio::time::sleep(backoff.delay()).await;
        }
    }

    /// One attempt. The outer error is a lost host, the inner one is why the chamber stays sealed.
    async fn unseal(
        &self,
        blob: &str,
        cluster_id: Option<&str>,
        workload: &mut impl Workload,
    ) -> Result<Result<Rest, String>, LinkError> {
        let began = Instant::now();
        if let Err(error) = workload.start().await {
            return Ok(Err(format!("the workload does not start: {error}")));
        }
        let inner = match self.open(blob, cluster_id) {
            Ok(inner) => Arc::new(inner),
            Err(why) => return Ok(Err(why)),
        };
        let mut rest = Rest::none(Arc::clone(&inner));
        let mut attempt = match Attempt::start(&self.tools, inner).await {
            Ok(attempt) => attempt,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut unsealed = false;
        let mut faults = Vec::new();
        while let Some(report) = attempt.next().await {
            rest.note(&report);
            if !report.detail.is_empty() {
                faults.push(format!("{}: {}", report.key_arn, report.detail));
            }
            self.sender.send(share(report)).await?;
            // The first k sound shares are enough: a key that hangs delays nobody.
            if !unsealed && let Ok(found) = attempt.recover() {
                if let Err(error) = workload.hand_over(&found.key).await {
                    return Ok(Err(format!("the workload does not take the key: {error}")));
                }
                unsealed = true;
                self.sender.send(unsealed_after(began)).await?;
            }
        }
        Ok(match attempt.recover() {
            Ok(found) => {
                if !found.spoiled.is_empty() {
                    let indices = found.spoiled;
                    self.sender.send(ToHost::Spoiled { indices }).await?;
                }
                Ok(rest)
            }
            Err(error) => Err(format!("{error} ({})", faults.join("; "))),
        })
    }

    /// Asks again for shares that the chamber does not need, so that each is proven; ends with a lost host only.
    async fn ask_for(&self, mut rest: Rest) -> LinkError {
        let mut backoff = Backoff::default();
        while !rest.keys.is_empty() {
            tokio::time::sleep(backoff.delay()).await;
            let wanted = std::mem::take(&mut rest.keys);
            let inner = Arc::clone(&rest.inner);
            let started = Attempt::start_for(&self.tools, inner, |key| wanted.contains(key)).await;
            let Ok(mut attempt) = started else {
                rest.keys = wanted;
                continue;
            };
            while let Some(report) = attempt.next().await {
                rest.note(&report);
                if let Err(lost) = self.sender.send(share(report)).await {
                    return lost;
                }
            }
        }
        std::future::pending().await
    }

    /// Takes the outer layer off with this enclave's registers.
    fn open(&self, blob: &str, cluster_id: Option<&str>) -> Result<InnerBlob, String> {
        let bytes = BASE64.decode(blob.trim());
        let bytes = bytes.map_err(|error| format!("the sealed blob is not base64: {error}"))?;
        let inner = sealed_blob::open(&bytes, |index| self.tools.nsm.pcr(index).ok())
            .map_err(|error| error.to_string())?;
        match cluster_id {
            Some(own) if own != inner.cluster_id => Err(format!(
                "the sealed blob is of cluster {}, this chamber is of {own}",
                inner.cluster_id
            )),
            _ => Ok(inner),
        }
    }

    async fn seal(&self, request: &SealRequest) -> Result<(), LinkError> {
        let (reports, mut incoming) = mpsc::unbounded_channel();
        let forward = async {
            while let Some(report) = incoming.recv().await {
                self.sender.send(share(report)).await?;
            }
            Ok::<_, LinkError>(())
        };
        let (sealed, forwarded) = tokio::join!(seal(&self.tools, request, reports), forward);
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

fn share(report: ShareReport) -> ToHost {
    ToHost::Share {
        key: report.key_arn,
        result: report.result,
        detail: report.detail,
    }
}

fn failed(message: String, delay: Duration) -> ToHost {
    ToHost::AttemptFailed {
        message,
        retry_in_millis: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
    }
}

fn unsealed_after(began: Instant) -> ToHost {
    ToHost::Unsealed {
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
