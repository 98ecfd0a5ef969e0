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
    /// Why the last attempt to unseal failed, or how the workload ended since.
    failure: Option<String>,
}

/// Of what an enclave says of a failure, so many characters are kept.
const SAID: usize = 1024;

/// How far it is, for whoever waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// The workload has the master key.
    pub unsealed: bool,
    /// Why not, as the enclave said it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
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

    /// How far the enclave is.
    pub fn progress(&self) -> Progress {
        let inner = self.lock();
        Progress {
            unsealed: inner.metrics.unsealed,
            failure: inner.failure.clone(),
        }
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
        inner.failure = Some("the enclave ended by itself".to_owned());
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
            ToHost::AttemptFailed { message, .. } => {
                let mut inner = self.lock();
                inner.metrics.failures += 1;
                inner.failure = Some(said(message));
            }
            ToHost::Unsealed { millis } => {
                let inner = &mut *self.lock();
                inner.failure = None;
                let metrics = &mut inner.metrics;
                metrics.unsealed = true;
                metrics.successes += 1;
                metrics.unseal_time += Duration::from_millis(*millis);
            }
            ToHost::Spoiled { indices } => {
                self.lock().metrics.spoiled = indices.iter().copied().collect();
            }
            ToHost::WorkloadEnded { message } => {
                let mut inner = self.lock();
                inner.metrics.unsealed = false;
                inner.failure = Some(said(&format!("the workload ended: {message}")));
            }
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

/// The beginning of what an enclave said, in one line.
fn said(message: &str) -> String {
    let one_line = message
        .chars()
        .map(|found| if found.is_control() { ' ' } else { found });
    one_line.take(SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_it_is_sealed_is_the_last_failure_and_gone_once_it_is_unsealed() {
        let state = State::default();
        let failed = |message: &str| ToHost::AttemptFailed {
            message: message.to_owned(),
            retry_in_millis: 1,
        };
        let failure = || state.progress().failure;
        assert_eq!(failure(), None);
        state.note(&failed("first"));
        state.note(&failed(&format!("second\n{}", "x".repeat(5000))));
        let told = failure().unwrap();
        assert!(told.starts_with("second x") && told.len() == SAID, "{told}");
        state.note(&ToHost::Unsealed { millis: 10 });
        assert_eq!((state.progress().unsealed, failure()), (true, None));
        let message = "with 1".to_owned();
        state.note(&ToHost::WorkloadEnded { message });
        assert_eq!(failure().unwrap(), "the workload ended: with 1");
        state.crashed();
        assert_eq!(failure().unwrap(), "the enclave ended by itself");
    }

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
