//! What the user declares.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ChamberClusterStatus;

/// A set of enclave chambers that share one master key, and the release they run.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "chamber.dev",
    version = "v1alpha1",
    kind = "ChamberCluster",
    plural = "chamberclusters",
    shortname = "cc",
    category = "all",
    namespaced,
    status = "ChamberClusterStatus",
    derive = "PartialEq",
    doc = "A set of enclave chambers that share one master key, and the release they run.",
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Release", type_ = "string", json_path = ".status.release"),
    printcolumn(name = "Chambers", type_ = "string", json_path = ".status.chambersReady"),
    printcolumn(name = "Keys", type_ = "string", json_path = ".status.keysInSync"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be at most 40 characters of a-z, 0-9 and '-', starting with a letter: Services and pods are named after it"),
    validation = Rule::new("!has(self.status) || !has(self.status.commitment) || (self.spec.keys.threshold == oldSelf.spec.keys.threshold && self.spec.keys.shares.map(s, s.arn) == oldSelf.spec.keys.shares.map(s, s.arn))")
        .message("spec.keys.threshold and the ARNs of spec.keys.shares cannot change after the first seal: the shares of the master key are wrapped under these keys")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.clusterId == oldSelf.clusterId").message("clusterId is immutable: the enclave role and the keys are named after it").field_path(".clusterId"))]
pub struct ChamberClusterSpec {
    /// `<env>-<region>-<purpose>`; names the role `ChamberEnclaveRole-<clusterId>`. At most 45 characters (IAM allows 64 for the role). Immutable.
    #[schemars(
        length(min = 1, max = 45),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub cluster_id: String,
    /// Account of the enclave role, where it is not the key's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub enclave_role_account_id: Option<String>,
    /// The release that the chambers shall run. Writing it is the approval.
    pub release: Release,
    /// The KMS keys that wrap the shares of the master key.
    pub keys: Keys,
    /// The pods.
    #[serde(default)]
    pub chambers: Chambers,
    /// Who seals and unseals the master key.
    #[serde(default)]
    pub sealing: Sealing,
    /// What proves that the chambers unseal.
    pub verification: Verification,
    /// How a rollover goes.
    #[serde(default)]
    pub rollover: Rollover,
    /// What happens to keys and policies when this object is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// A container image and the measurement of the enclave image in it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Container image, best with its digest.
    #[schemars(length(min = 1, max = 1024))]
    pub image: String,
    /// What its enclave attests.
    #[schemars(schema_with = "crate::schema::measurement")]
    pub measurement: MeasurementSpec,
}

/// `ImageSha384` and further registers, as text.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct MeasurementSpec {
    /// PCR0: 96 lower-case hex characters.
    pub image_sha384: String,
    /// `pcr1` to `pcr31`, as far as given.
    #[serde(flatten)]
    pub registers: BTreeMap<String, String>,
}

/// The keys and how many of them open the master key.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.threshold <= self.shares.size()")
        .message("threshold is above the number of shares: no set of keys could ever open the master key")
        .field_path(".threshold"),
    validation = Rule::new("self.shares.all(a, self.shares.exists_one(b, a.arn == b.arn))")
        .message("two shares name the same key ARN: each share needs a key of its own")
        .field_path(".shares")
)]
pub struct Keys {
    /// How many shares open the master key.
    #[schemars(range(min = 1, max = 10))]
    pub threshold: i32,
    /// One KMS key a share.
    #[schemars(length(min = 1, max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub shares: Vec<Share>,
    /// How the key policies look.
    #[serde(default)]
    pub policy: KeyPolicySettings,
}

/// One share and the KMS key that wraps it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.management != 'Managed' || has(self.assumeRoleArn)")
    .message("a Managed key needs assumeRoleArn: the key holder's admin role, which the operator assumes"))]
pub struct Share {
    /// Name of the share in status and messages.
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Full ARN of the KMS key (no alias: an alias can be pointed elsewhere).
    #[schemars(
        length(max = 256),
        regex(pattern = r"^arn:aws(-us-gov|-cn)?:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")
    )]
    pub arn: String,
    /// Managed: the operator writes the policy. Observed: its holder does, the operator waits.
    #[serde(default)]
    pub management: Management,
    /// Role that the operator assumes for this key: the admin role (Managed), or one that may read (Observed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 256),
        regex(pattern = r"^arn:aws(-us-gov|-cn)?:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$")
    )]
    pub assume_role_arn: Option<String>,
}

/// Who writes a key's policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Management {
    /// The operator.
    #[default]
    Managed,
    /// The key's holder; the operator only reads.
    Observed,
}

/// How the key policies look.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct KeyPolicySettings {
    /// Standard: the five statements.
    #[serde(default)]
    pub profile: Profile,
    /// Registers to pin beside ImageSha384 (for example PCR8), where every live release has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(regex(pattern = r"^PCR([1-9]|[12][0-9]|3[01])$"))
    )]
    pub pins: Vec<String>,
}

/// Which statements a policy carries.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// The five statements.
    #[default]
    Standard,
}

/// The pods.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Chambers {
    /// How many.
    #[serde(default = "defaults::replicas")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: i32,
    /// Pod template; container `enclave` gets the release's image. Empty: a generated one.
    #[serde(default = "defaults::template")]
    #[schemars(schema_with = "crate::schema::pod_template")]
    pub template: serde_json::Value,
}

/// Who seals and unseals the master key.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sealing {
    /// Our agent and blob.
    #[default]
    Managed,
    /// The image unseals in its own way; the operator needs its metrics and readiness only.
    External,
}

/// What proves that the chambers unseal.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Where the chambers' metrics are.
    pub prometheus: Prometheus,
    /// For how long no attestation may be rejected before Retire, for example `2m`.
    #[serde(default = "defaults::soak_time")]
    #[schemars(regex(pattern = r"^([0-9]+(ms|s|m|h))+$"))]
    pub soak_time: String,
    /// Queries of your own in place of the presets.
    #[serde(default)]
    pub queries: Queries,
}

/// A Prometheus server.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Base URL, for example `http://prometheus.monitoring:9090`.
    #[schemars(length(max = 1024), regex(pattern = r"^https?://.+"))]
    pub url: String,
}

/// Queries in place of the presets. Each must give one series a pod with the label `pod`.
///
/// `$namespace`, `$pods` (a regular expression) and `$window` (a duration) are replaced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Queries {
    /// Successful unseals of a pod since its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsealed: Option<String>,
    /// Rejected attestations of a pod within `$window`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

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
    /// After this time without progress the condition Stalled is raised; the rollover still goes on when it can.
    #[serde(default = "defaults::progress_deadline")]
    #[schemars(regex(pattern = r"^([0-9]+(ms|s|m|h))+$"))]
    pub progress_deadline: String,
    /// Stops before the next action.
    #[serde(default)]
    pub paused: bool,
}

/// What happens to keys and policies when the `ChamberCluster` is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeletionPolicy {
    /// Nothing: keys, policies and sealed Secrets stay as they are.
    #[default]
    Retain,
}

impl Default for Chambers {
    fn default() -> Self {
        Self {
            replicas: defaults::replicas(),
            template: defaults::template(),
        }
    }
}

impl Default for Rollover {
    fn default() -> Self {
        Self {
            max_unavailable: defaults::max_unavailable(),
            max_surge: 0,
            settle_time: defaults::settle_time(),
            progress_deadline: defaults::progress_deadline(),
            paused: false,
        }
    }
}

mod defaults {
    pub fn replicas() -> i32 {
        3
    }
    pub fn template() -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }
    pub fn soak_time() -> String {
        "2m".into()
    }
    pub fn max_unavailable() -> i32 {
        1
    }
    pub fn settle_time() -> String {
        "30s".into()
    }
    pub fn progress_deadline() -> String {
        "10m".into()
    }
}
