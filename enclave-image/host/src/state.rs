//! What the host knows, shared between the session and the pages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chamber_link::{ShareResult, ToHost};
use measurement::Pcr;
use serde::Serialize;
use tokio::sync::watch;

use crate::exposition::Page;
use crate::metrics::Metrics;
use crate::proof::Questions;
use crate::traffic::Traffic;

/// Counters, and whether the pod takes requests.
#[derive(Debug, Default)]
pub(crate) struct State {
    inner: Mutex<Inner>,
    /// Questions for proof of the enclave's state, and their answers.
    pub questions: Questions,
    stopping: watch::Sender<bool>,
    /// Of relay and ingress, where there are any.
    traffic: Option<Arc<Traffic>>,
}

#[derive(Debug, Default)]
struct Inner {
    metrics: Metrics,
    sealed: Option<SealedBlob>,
}

/// What a seal made, for whoever stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SealedBlob {
    /// Base64.
    pub sealed_blob: String,
    /// Hex.
    pub commitment: String,
}

impl State {
    /// With these counters on the page.
    pub fn with_traffic(traffic: Arc<Traffic>) -> Self {
        Self {
            traffic: Some(traffic),
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single assignment, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unsealed, and not about to end.
    pub fn ready(&self) -> bool {
        self.lock().metrics.unsealed && !*self.stopping.borrow()
    }

    pub fn render(&self) -> String {
        let mut page = Page::default();
        self.lock().metrics.render(&mut page);
        if let Some(traffic) = &self.traffic {
            traffic.render(&mut page);
        }
        page.text()
    }

    /// The blob that was made here, if one was.
    pub fn sealed(&self) -> Option<SealedBlob> {
        self.lock().sealed.clone()
    }

    /// No more requests are to come.
    pub fn stopping(&self) {
        self.stopping.send_replace(true);
    }

    /// Resolves when [`State::stopping`] was called.
    pub fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stopping = self.stopping.subscribe();
        async move {
            // A state that is gone has stopped, too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }

    /// AWS credentials were fetched, valid until then (seconds since 1970).
    pub fn credentials(&self, end: Option<u64>) {
        let metrics = &mut self.lock().metrics;
        metrics.fetched += 1;
        metrics.credentials_end = end;
    }

    /// The source of AWS credentials failed.
    pub fn no_credentials(&self) {
        self.lock().metrics.not_fetched += 1;
    }

    /// How far the enclave's clock is from this machine's, in seconds.
    pub fn clock_skew(&self, skew: i64) {
        self.lock().metrics.clock_skew = Some(skew);
    }

    /// The enclave ended by itself.
    pub fn crashed(&self) {
        let mut inner = self.lock();
        inner.metrics.unsealed = false;
        inner.metrics.restarts += 1;
        drop(inner);
        self.questions.lost();
    }

    /// The image that runs.
    pub fn greeted(&self, image: Pcr) {
        self.lock().metrics.image_sha384 = Some(image.to_string());
    }

    /// Counts what the agent reports.
    pub fn note(&self, message: &ToHost) {
        match message {
            ToHost::Share { key, result, .. } => {
                let metrics = &mut self.lock().metrics;
                metrics.rejected += u64::from(*result == ShareResult::Denied);
                metrics.count_share(key, *result);
            }
            ToHost::AttemptFailed { .. } => self.lock().metrics.failures += 1,
            ToHost::Unsealed { millis } => {
                let metrics = &mut self.lock().metrics;
                metrics.unsealed = true;
                metrics.successes += 1;
                metrics.unseal_time += Duration::from_millis(*millis);
            }
            ToHost::Spoiled { indices } => {
                self.lock().metrics.spoiled = indices.iter().copied().collect();
            }
            ToHost::WorkloadEnded { .. } => self.lock().metrics.unsealed = false,
            ToHost::Attestation { nonce, document } => {
                self.questions.answered(nonce, Ok(document.clone()));
            }
            ToHost::NoAttestation { nonce, message } => {
                self.questions.answered(nonce, Err(message.clone()));
            }
            ToHost::Sealed { blob, commitment } => {
                self.lock().sealed = Some(SealedBlob {
                    sealed_blob: blob.clone(),
                    commitment: commitment.clone(),
                });
            }
            // A greeting counts when it is expected: see [`State::greeted`].
            ToHost::Hello { .. } | ToHost::NeedCredentials(_) | ToHost::SealFailed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(result: ShareResult) -> ToHost {
        ToHost::Share {
            key: "arn".into(),
            result,
            detail: String::new(),
        }
    }

    #[test]
    fn each_denied_share_is_a_rejection_and_nothing_else_is() {
        let state = State::default();
        for result in [
            ShareResult::Denied,
            ShareResult::Denied,
            ShareResult::Opened,
            ShareResult::KeyUnusable,
            ShareResult::Throttled,
            ShareResult::Transient,
            ShareResult::Invalid,
        ] {
            state.note(&share(result));
        }
        assert!(state.render().contains("\nkms_attestation_rejected 2\n"));
    }

    #[test]
    fn an_enclave_that_makes_up_keys_does_not_make_the_page_grow() {
        let state = State::default();
        for number in 0..1000 {
            state.note(&ToHost::Share {
                key: format!("{number} {}", "x".repeat(10_000)),
                result: ShareResult::Denied,
                detail: String::new(),
            });
            let indices = vec![7; 1000];
            state.note(&ToHost::Spoiled { indices });
        }
        let page = state.render();
        assert!(page.len() < 100_000, "{} bytes", page.len());
        let others = "chamber_tee_share_total{key=\"others\",result=\"denied\"} 872";
        assert!(page.contains(others), "{page}");
        assert!(page.contains("\nkms_attestation_rejected 1000\n"));
    }

    #[test]
    fn the_page_of_the_host_names_every_metric() {
        let page = include_str!("../../../docs/enclave-host.md");
        let state = State::with_traffic(Arc::default());
        for line in state.render().lines() {
            let Some(name) = line.strip_prefix("# TYPE ") else {
                continue;
            };
            let (name, _) = name.split_once(' ').unwrap();
            // Both ways have the same ones.
            let name = name.strip_prefix("chamber_relay_").unwrap_or(name);
            let name = name.strip_prefix("chamber_ingress_").unwrap_or(name);
            assert!(page.contains(name), "{name}");
        }
    }

    #[test]
    fn ready_means_unsealed_and_not_stopping() {
        let state = State::default();
        assert!(!state.ready());
        state.note(&ToHost::Unsealed { millis: 10 });
        assert!(state.ready());
        state.note(&ToHost::WorkloadEnded {
            message: String::new(),
        });
        assert!(!state.ready());
        state.note(&ToHost::Unsealed { millis: 10 });
        state.crashed();
        assert!(!state.ready());
        state.note(&ToHost::Unsealed { millis: 10 });
        state.stopping();
        assert!(!state.ready());
    }
}
