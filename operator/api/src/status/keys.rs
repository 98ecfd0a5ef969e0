//! Keys in status: as last read, as they are to be, and as a rollover would change them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MeasurementSpec;

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
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
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
    /// What speaks against the key beside its policy (`docs/key-policy-lint.md`): `<rule>: <what was found, and what to do>`.
    /// It stops nothing. Grants and other policies are as they were a few minutes before the reading.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub findings: Vec<String>,
}

/// What was written last to a key's policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KeyWriteStatus {
    /// ARN of the key.
    pub arn: String,
    /// Digest of what the operator's own statements were to say: hex; empty before the first write of a rollover.
    pub content: String,
    /// When the same was written again, because somebody else had changed it: at most the last four times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub put_right: Vec<Time>,
}

/// What a key's policy is to be.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DesiredPolicy {
    /// What it is to admit; nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        schema_with = "crate::schema::measurements_status",
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub measurements: Vec<MeasurementSpec>,
    /// SHA-256 (hex) of its canonical form: it changes with what the policy says, not with how it is printed.
    /// `kubectl chamber plan --document <share>` prints the policy.
    pub sha256: String,
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
    /// That another manifest, or another template, rolls the chambers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// By key.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub keys: Vec<KeyPlanStatus>,
    /// What may forbid or allow a call beside all of this, because no key policy shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub not_shown: Vec<String>,
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
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub admit: Vec<String>,
    /// What Retire changes after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub retire: Vec<String>,
    /// What somebody may do that they might not do before, or the other way round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub access: Vec<AccessStatus>,
}

/// What each of three answers may depend on: condition keys, `key ARN`, `session name`, `IAM policies`. Empty: it is certain.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct DependsOn {
    /// The answer now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub now: Vec<String>,
    /// The answer after Admit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub admitted: Vec<String>,
    /// The answer after Retire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub retired: Vec<String>,
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
    /// Allowed now: for certain, or depending on `dependsOn.now`.
    pub now: bool,
    /// Allowed after Admit: for certain, or depending on `dependsOn.admitted`.
    pub admitted: bool,
    /// Allowed after Retire: for certain, or depending on `dependsOn.retired`.
    pub retired: bool,
    /// What the answers may depend on, because nothing says it; absent where all are certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<DependsOn>,
}
