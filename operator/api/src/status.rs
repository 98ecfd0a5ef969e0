//! What the operator reports, and the few facts that it cannot observe.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MeasurementSpec;

/// State of a `ChamberCluster`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ChamberClusterStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The step of the rollover in flight (Measure, Admit, Roll, Verify, Retire), or Settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why the operator waits or stops, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same as a sentence with the cure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Short name of the release: the target's, and `old->new` in a rollover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Chambers that are there and stay, of all releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Those of them that are unsealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Those of them that run the target, or the current release where nothing is in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_replicas: Option<i32>,
    /// Label selector of the chambers' pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Unsealed chambers of those wanted, `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chambers_ready: Option<String>,
    /// Keys in sync of all, `3/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_in_sync: Option<String>,
    /// The release that all chambers were verified on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<ReleaseStatus>,
    /// The rollover in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverStatus>,
    /// How many rollovers were begun.
    #[serde(default)]
    pub rollovers: i64,
    /// The external id by which the operator assumes the key holders' roles: their trust policies name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Commitment to the master key (hex), since the first seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<String>,
    /// The release that failed or was aborted last; it is not tried again until the spec changes or `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureStatus>,
    /// `ImageSha384` values that were revoked: never admitted again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub revoked: Vec<String>,
    /// When policies were written since the phase of the rollover began, at most the last four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_writes: Vec<Time>,
    /// Verbs (annotations) that were answered, and what came of the last one.
    #[serde(default)]
    pub verbs: VerbsStatus,
    /// The keys as last read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub keys: Vec<KeyStatus>,
    /// The chambers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["pod"]))]
    pub chambers: Vec<ChamberStatus>,
    /// What a rollover would change in the policies, while `spec.rollover.dryRun` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// The last rollovers, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<RolloverRecord>,
    /// Conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

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

/// A key as last read.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// Name of the share.
    pub name: String,
    /// ARN of the key.
    pub arn: String,
    /// Key state as KMS says it, or why it could not be read.
    pub state: String,
    /// First ten characters of each ImageSha384 that the policy admits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admitted: Vec<String>,
    /// The policy holds exactly the live releases.
    pub in_sync: bool,
    /// The reading that this entry is based on (later readings that found the same do not move it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
    /// What the policy is to be, whoever writes it; absent where the policy found cannot be put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<DesiredPolicy>,
    /// What the key's holder is asked to do, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What a key's policy is to be.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DesiredPolicy {
    /// What it is to admit; nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::measurements_status")]
    pub measurements: Vec<MeasurementSpec>,
    /// SHA-256 (hex) of its canonical form: it changes with what the policy says, not with how it is printed.
    /// `kubectl chamber plan --document <share>` prints the policy.
    pub sha256: String,
}

/// One chamber.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ChamberStatus {
    /// Pod name.
    pub pod: String,
    /// Revision of the release it runs.
    pub revision: String,
    /// Unsealed since; absent while sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsealed_since: Option<Time>,
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

/// What a rollover would change in the policies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Revision before, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Revision after.
    pub to: String,
    /// What keeps it from beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objection: Option<String>,
    /// By key.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub keys: Vec<KeyPlanStatus>,
}

/// What a rollover would change in one key's policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct KeyPlanStatus {
    /// Name of the share.
    pub name: String,
    /// Why nothing can be said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The policy was made by somebody else and would be taken over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_over: bool,
    /// Bytes of the policy now, after Admit and after Retire, of those that KMS takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// What Admit changes: `+ <statement>: <what>` comes, `-` goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admit: Vec<String>,
    /// What Retire changes after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retire: Vec<String>,
    /// What somebody may do that they might not do before, or the other way round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<AccessStatus>,
}

/// One question to the policies, and its answers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccessStatus {
    /// Who asks.
    pub principal: String,
    /// For example `kms:Decrypt`.
    pub action: String,
    /// What the enclave attests: first ten characters of ImageSha384, `none`, or `another image`.
    pub attested: String,
    /// Allowed now.
    pub now: bool,
    /// Allowed after Admit.
    pub admitted: bool,
    /// Allowed after Retire.
    pub retired: bool,
}

/// Verbs that were answered: the annotations' values, so that each is answered once.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct VerbsStatus {
    /// Value of the last `chamber.dev/abort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<String>,
    /// Value of the last `chamber.dev/retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Value of the last `chamber.dev/unrevoke`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrevoke: Option<String>,
    /// Value of the last `chamber.dev/transfer-from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    /// Value of the last `chamber.dev/revoke`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<String>,
    /// What came of the last verb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The last verb was refused: nothing was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
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
