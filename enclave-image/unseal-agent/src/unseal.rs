//! Unsealing: until it is done, and again when the workload ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chamber_link::{LinkError, ShareResult, ToHost};
use sealed_blob::InnerBlob;

use crate::agent::{Agent, failed, share};
use crate::rest::Rest;
use crate::{Attempt, Backoff, Kms, Nsm, ShareReport, Workload, outer};

/// A workload that ran this long did not fail because of how it was started.
const STEADY: Duration = Duration::from_mins(1);

impl<N: Nsm, K: Kms> Agent<N, K> {
    /// Unseals, waits for the workload's end, unseals again; only a lost host ends it.
    pub(crate) async fn keep_unsealed(
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
            self.gate.unsealed(false);
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
            self.note(&mut rest, &report);
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
                self.gate.unsealed(true);
                self.sender.send(unsealed_after(began)).await?;
            }
        }
        Ok(match attempt.recover() {
            Ok(found) => {
                if !found.spoiled.is_empty() {
                    let indices = found.spoiled;
                    self.gate.spoiled(&indices);
                    self.sender.send(ToHost::Spoiled { indices }).await?;
                }
                Ok(rest)
            }
            Err(error) => {
                // In the order of their keys, and not of the answers: the same goes wrong again and again.
                faults.sort();
                Err(format!("{error} ({})", faults.join("; ")))
            }
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
                self.note(&mut rest, &report);
                if let Err(lost) = self.sender.send(share(report)).await {
                    return lost;
                }
            }
        }
        std::future::pending().await
    }

    /// What a share became counts for the question what is still open, and for whoever asks this chamber for proof.
    fn note(&self, rest: &mut Rest, report: &ShareReport) {
        rest.note(report);
        if report.result == ShareResult::Opened {
            self.gate.opened(report.index);
        }
    }

    /// Takes the outer layer off with this enclave's registers, and asks whether what is in it may be unsealed.
    fn open(&self, blob: &str, cluster_id: Option<&str>) -> Result<InnerBlob, String> {
        let image = self.tools.nsm.pcr(0).map_err(|error| error.to_string())?;
        if image.is_zero() {
            let why = "PCR0 is all zeros: this enclave runs in debug mode, where its parent reads its memory; start it without --debug-mode";
            return Err(why.to_owned());
        }
        let (bytes, inner) = outer::open(&*self.tools.nsm, blob)?;
        if let Some(own) = cluster_id.filter(|own| *own != inner.cluster_id) {
            return Err(format!(
                "the sealed blob is of cluster {}, this chamber is of {own}",
                inner.cluster_id
            ));
        }
        self.authorization.may_unseal(&inner)?;
        self.gate.attempt(&bytes, &inner);
        Ok(inner)
    }
}

fn unsealed_after(began: Instant) -> ToHost {
    ToHost::Unsealed {
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
