//! What the host knows, shared between the session and the pages.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chamber_link::{ShareResult, ToHost};

use crate::metrics::Metrics;

/// Counters, and whether the pod takes requests.
#[derive(Debug, Default)]
pub(crate) struct State {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    metrics: Metrics,
    stopping: bool,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single assignment, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unsealed, and not about to end.
    pub fn ready(&self) -> bool {
        let inner = self.lock();
        inner.metrics.unsealed && !inner.stopping
    }

    pub fn render(&self) -> String {
        self.lock().metrics.render()
    }

    pub fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// The enclave ended by itself.
    pub fn crashed(&self) {
        let mut inner = self.lock();
        inner.metrics.unsealed = false;
        inner.metrics.restarts += 1;
    }

    /// Counts what the agent reports.
    pub fn note(&self, message: &ToHost) {
        let metrics = &mut self.lock().metrics;
        match message {
            ToHost::Hello { image_sha384 } => metrics.image_sha384 = Some(image_sha384.clone()),
            ToHost::Share { key, result, .. } => {
                metrics.rejected += u64::from(*result == ShareResult::Denied);
                *metrics.shares.entry((key.clone(), *result)).or_default() += 1;
            }
            ToHost::AttemptFailed { .. } => metrics.failures += 1,
            ToHost::Unsealed { millis } => {
                metrics.unsealed = true;
                metrics.successes += 1;
                metrics.unseal_time += Duration::from_millis(*millis);
            }
            ToHost::Spoiled { indices } => metrics.spoiled.clone_from(indices),
            ToHost::WorkloadEnded { .. } => metrics.unsealed = false,
            ToHost::NeedCredentials | ToHost::Sealed { .. } | ToHost::SealFailed { .. } => {}
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
