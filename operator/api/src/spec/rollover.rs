//! How a rollover goes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;

/// How a rollover goes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.maxUnavailable + self.maxSurge > 0")
    .message("maxUnavailable and maxSurge are both 0: no chamber could ever be replaced"))]
pub struct Rollover {
    /// How many chambers may be missing while rolling.
    #[serde(default = "defaults::max_unavailable")]
    #[schemars(range(min = 0, max = 100))]
    pub max_unavailable: i32,
    /// How many chambers may run beyond `replicas` while rolling (each needs a free enclave slot).
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub max_surge: i32,
    /// How long a new policy is given to take effect everywhere before the first chamber starts, for example `30s`.
    #[serde(default = "defaults::settle_time")]
    #[schemars(regex(pattern = r"^([0-9]+(ms|s|m|h))+$"))]
    pub settle_time: String,
    /// After this time without progress a target whose chambers do not unseal, or are rejected, has failed.
    /// Any other wait of this length raises the condition Stalled.
    #[serde(default = "defaults::progress_deadline")]
    #[schemars(regex(pattern = r"^([0-9]+(ms|s|m|h))+$"))]
    pub progress_deadline: String,
    /// What happens when the target has failed.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Changes nothing: what a rollover would change in the policies is shown in `status.plan`.
    #[serde(default)]
    pub dry_run: bool,
    /// Stops before the next action (as the annotation `chamber.dev/paused` does).
    #[serde(default)]
    pub paused: bool,
}

/// What happens when the target of a rollover has failed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The same five steps back to the release before; the failed one is not tried again until the spec changes or `retry`.
    #[default]
    Rollback,
    /// Everything stays as it is until the spec changes, `abort` or `retry`.
    Pause,
}

impl Default for Rollover {
    fn default() -> Self {
        Self {
            max_unavailable: defaults::max_unavailable(),
            max_surge: 0,
            settle_time: defaults::settle_time(),
            progress_deadline: defaults::progress_deadline(),
            on_failure: OnFailure::default(),
            dry_run: false,
            paused: false,
        }
    }
}
