//! Releases and rollovers in status: the one in flight, the one that failed, and those that have ended.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MeasurementSpec;

/// A release with the short name of its exact form (image, measurement, template).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// Container image.
    pub image: String,
    /// What its enclave attests.
    #[schemars(schema_with = "crate::schema::measurement_status")]
    pub measurement: MeasurementSpec,
    /// Ten hex characters that name its `ReplicaSet`.
    pub revision: String,
    /// Generation of the sealed blob that its chambers unseal, from 2 on; without it 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub generation: Option<i64>,
}

/// The rollover in flight: what cannot be seen from pods and policies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RolloverStatus {
    /// The release before; none at the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ReleaseStatus>,
    /// The release that is rolled out.
    pub to: ReleaseStatus,
    /// When it began.
    pub started_at: Time,
    /// Measurements that were found in single keys' policies when they were taken over: each stays on its key until Retire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["arn"]))]
    pub found: Vec<FoundStatus>,
    /// When every key's policy, read back, held both: the settle time counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<Time>,
    /// When Retire began, written before the first policy loses the old measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_begun_at: Option<Time>,
    /// Last time something moved on; the progress deadline counts from here.
    pub progressed_at: Time,
}

/// A measurement that was found in one key's policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FoundStatus {
    /// ARN of the key.
    pub arn: String,
    /// What its policy admitted.
    #[schemars(schema_with = "crate::schema::measurement_status")]
    pub measurement: MeasurementSpec,
}

/// The release that failed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FailureStatus {
    /// Its revision.
    pub revision: String,
    /// Why.
    pub message: String,
}

/// One ended rollover.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RolloverRecord {
    /// Revision before, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Revision after.
    pub to: String,
    /// Begin.
    pub started_at: Time,
    /// End.
    pub ended_at: Time,
    /// How it ended: Complete, `TurnedBack`, Superseded, Failed or Aborted; a later version may have others.
    pub outcome: String,
}

/// How a rollover ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Outcome {
    /// All chambers run the target; only it is admitted.
    Complete,
    /// The target changed, and the chambers went back to the release before.
    TurnedBack,
    /// Another target took its place before a chamber was started.
    Superseded,
    /// The target failed.
    Failed,
    /// It was aborted.
    Aborted,
}
