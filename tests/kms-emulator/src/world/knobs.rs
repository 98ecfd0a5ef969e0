//! Faults that the admin port can order.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The longest delay that makes sense to ask for; beyond it a `Duration` could overflow.
const MAX_DELAY_SECONDS: f64 = 1e9;

/// All knobs; what a PUT leaves out goes back to its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Knobs {
    /// Cryptographic operations enforce a new policy only this long after it was put.
    pub decrypt_policy_delay_seconds: Option<f64>,
    /// Cryptographic operations go on enforcing what they enforced when the hold began.
    pub decrypt_policy_hold: bool,
    /// Cryptographic operations see a new state of a key only this long after the change.
    pub key_state_delay_seconds: Option<f64>,
    /// So many next calls of an operation are throttled.
    pub throttle: BTreeMap<String, u64>,
    /// So many next calls of an operation fail with a code.
    pub failures: BTreeMap<String, Failure>,
    /// So many next calls of an operation take effect, but their connection closes without an answer.
    pub lose_answers: BTreeMap<String, u64>,
    /// The emulator's clock is this far ahead of the machine's.
    pub clock_offset_seconds: i64,
}

/// A failure to inject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    /// The exception's name.
    pub code: String,
    /// How many calls it hits.
    pub count: u64,
}

impl Knobs {
    /// Says what is wrong with a value, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let delays = [
            (
                "decryptPolicyDelaySeconds",
                self.decrypt_policy_delay_seconds,
            ),
            ("keyStateDelaySeconds", self.key_state_delay_seconds),
        ];
        for (name, delay) in delays {
            let allowed = |delay: f64| (0.0..=MAX_DELAY_SECONDS).contains(&delay);
            if let Some(delay) = delay.filter(|delay| !allowed(*delay)) {
                return Err(format!(
                    "{name} is {delay}, expected 0 to {MAX_DELAY_SECONDS}"
                ));
            }
        }
        Ok(())
    }

    /// The propagation delay of policies; zero if none is set.
    pub fn delay(&self) -> Duration {
        duration(self.decrypt_policy_delay_seconds)
    }

    /// The same of keys' states.
    pub fn state_delay(&self) -> Duration {
        duration(self.key_state_delay_seconds)
    }

    /// The failure that this call has to meet; uses one up.
    pub fn take_failure(&mut self, operation: &str) -> Option<ApiError> {
        if take(&mut self.throttle, operation) {
            return Some(ApiError::injected("ThrottlingException"));
        }
        let failure = self.failures.get_mut(operation)?;
        failure.count = failure.count.checked_sub(1)?;
        let error = ApiError::injected(&failure.code);
        if failure.count == 0 {
            self.failures.remove(operation);
        }
        Some(error)
    }

    /// Whether this call's answer is to be lost; uses one up.
    pub fn take_lost_answer(&mut self, operation: &str) -> bool {
        take(&mut self.lose_answers, operation)
    }
}

fn duration(seconds: Option<f64>) -> Duration {
    let given = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    given.unwrap_or_default()
}

fn take(counts: &mut BTreeMap<String, u64>, operation: &str) -> bool {
    let Some(count) = counts.get_mut(operation) else {
        return false;
    };
    let there = *count > 0;
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(operation);
    }
    there
}
