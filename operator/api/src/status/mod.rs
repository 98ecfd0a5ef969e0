//! What the operator reports, and the few facts that it cannot observe.

mod keys;
mod release;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keys::{
    AccessStatus, DependsOn, DesiredPolicy, KeyPlanStatus, KeyStatus, KeyWriteStatus, PlanStatus,
};
pub use release::{
    FailureStatus, FoundStatus, Outcome, ReleaseStatus, RolloverRecord, RolloverStatus,
};

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
    /// The cluster manifest of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestStatus>,
    /// Revision of the first release whose chambers all attested: from then on `spec.verification.attestation: Preferred` takes silence for no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_release: Option<String>,
    /// The release that failed or was aborted last; it is not tried again until the spec changes or `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureStatus>,
    /// `ImageSha384` values that were revoked: never admitted again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub revoked: Vec<String>,
    /// What was written last to each key's policy: what is put right again and again has another writer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["arn"]))]
    pub key_writes: Vec<KeyWriteStatus>,
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
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<RolloverRecord>,
    /// Conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The cluster manifest of the spec, as enclaves and key policies see it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ManifestStatus {
    /// SHA-384 of its body: 96 lower-case hex characters.
    pub digest: String,
    /// What an enclave has in PCR16 that took it: 96 lower-case hex characters.
    pub pcr16: String,
    /// Fingerprints of those who signed it, whether well or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub signed_by: Vec<String>,
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
    /// When it first proved itself by an attestation document since its start; absent while it did not, or was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Time>,
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
