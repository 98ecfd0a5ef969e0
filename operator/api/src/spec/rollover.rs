//! How a rollover goes.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;

/// How a rollover goes.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!string(self.maxUnavailable).matches('^0+%?$') || !string(self.maxSurge).matches('^0+%?$')")
        .message("maxUnavailable and maxSurge are both 0: no chamber could ever be replaced")
        .reason(Reason::FieldValueInvalid)
        .field_path(".maxUnavailable"),
    validation = Rule::new("string(self.maxUnavailable).matches('^([0-9]{1,2}|100)%?$')")
        .message("maxUnavailable must be 0 to 100 chambers, or 0% to 100% of replicas")
        .reason(Reason::FieldValueInvalid)
        .field_path(".maxUnavailable"),
    validation = Rule::new("string(self.maxSurge).matches('^([0-9]{1,2}|100)%?$')")
        .message("maxSurge must be 0 to 100 chambers, or 0% to 100% of replicas")
        .reason(Reason::FieldValueInvalid)
        .field_path(".maxSurge")
)]
pub struct Rollover {
    /// How many chambers may be missing while rolling: a number, or a share of `replicas` such as `25%`, rounded down.
    #[serde(default = "defaults::max_unavailable")]
    #[schemars(schema_with = "crate::schema::count_or_percent")]
    pub max_unavailable: IntOrString,
    /// How many chambers may run beyond `replicas` while rolling (each needs a free enclave slot): a number, or a
    /// share of `replicas` such as `25%`, rounded up.
    #[serde(default = "defaults::max_surge")]
    #[schemars(schema_with = "crate::schema::count_or_percent")]
    pub max_surge: IntOrString,
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
            max_surge: defaults::max_surge(),
            settle_time: defaults::settle_time(),
            progress_deadline: defaults::progress_deadline(),
            on_failure: OnFailure::default(),
            dry_run: false,
            paused: false,
        }
    }
}
