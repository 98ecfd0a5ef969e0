//! What the user declares.

mod defaults;
mod keys;
mod manifest;
mod rollover;
mod verification;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ChamberClusterStatus;

pub use keys::{DriftPolicy, KeyPolicySettings, Keys, Management, Profile, Share};
pub use manifest::{ManifestBody, ManifestKind, ManifestSignature, ManifestSpec};
pub use rollover::{OnFailure, Rollover};
pub use verification::{Attestation, Prometheus, Queries, Verification};

/// A set of enclave chambers that share one master key, and the release they run.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "chamber.dev",
    version = "v1alpha1",
    kind = "ChamberCluster",
    plural = "chamberclusters",
    shortname = "chc",
    category = "all",
    namespaced,
    status = "ChamberClusterStatus",
    derive = "PartialEq",
    doc = "A set of enclave chambers that share one master key, and the release they run.",
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Release", type_ = "string", json_path = ".status.release"),
    printcolumn(name = "Chambers", type_ = "string", json_path = ".status.chambersReady"),
    printcolumn(name = "Keys", type_ = "string", json_path = ".status.keysInSync"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Stalled", type_ = "string", json_path = ".status.conditions[?(@.type==\"Stalled\")].status", priority = 1),
    printcolumn(name = "Updated", type_ = "integer", json_path = ".status.updatedReplicas", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    scale(
        spec_replicas_path = ".spec.chambers.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be at most 40 characters of a-z, 0-9 and '-', starting with a letter: Services and pods are named after it")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.status) || !has(self.status.commitment) || (self.spec.keys.threshold == oldSelf.spec.keys.threshold && self.spec.keys.shares.map(s, s.arn) == oldSelf.spec.keys.shares.map(s, s.arn))")
        .message("spec.keys.threshold and the ARNs of spec.keys.shares cannot change after the first seal: the shares of the master key are wrapped under these keys")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec.keys"),
    validation = Rule::new("!has(self.status) || !has(self.status.commitment) || !has(self.spec.manifest) || !has(self.spec.manifest.body.commitment) || self.spec.manifest.body.commitment == self.status.commitment")
        .message("spec.manifest.body.commitment is not the one in status.commitment: the manifest is of another master key. Take what `kubectl chamber manifest render` prints for this cluster")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.manifest"),
    validation = Rule::new("!has(self.status) || (!has(self.status.commitment) && !has(self.status.current)) || self.spec.sealing == oldSelf.spec.sealing")
        .message("spec.sealing cannot change after the first seal, or once a release has run: the chambers would lose the master key")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec.sealing"),
    validation = Rule::new("!has(self.status) || (!has(self.status.commitment) && !has(self.status.current)) || (has(self.spec.enclaveRoleAccountId) == has(oldSelf.spec.enclaveRoleAccountId) && (!has(self.spec.enclaveRoleAccountId) || self.spec.enclaveRoleAccountId == oldSelf.spec.enclaveRoleAccountId))")
        .message("spec.enclaveRoleAccountId cannot change after the first seal, or once a release has run: the chambers would lose their role")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec.enclaveRoleAccountId")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.clusterId == oldSelf.clusterId")
        .message("clusterId is immutable: the enclave role and the keys are named after it")
        .reason(Reason::FieldValueForbidden)
        .field_path(".clusterId"),
    validation = Rule::new("self.sealing != 'External' || !has(self.verification.attestation) || self.verification.attestation == 'Disabled'")
        .message("spec.verification.attestation is Required or Preferred with spec.sealing External: only our agent attests. Leave it out, or set it to Disabled")
        .reason(Reason::FieldValueInvalid)
        .field_path(".verification.attestation"),
    validation = Rule::new("!has(self.manifest) || self.manifest.body.clusterId == self.clusterId")
        .message("manifest.body.clusterId is not spec.clusterId: a manifest is of one cluster. Render and sign one for this cluster")
        .reason(Reason::FieldValueInvalid)
        .field_path(".manifest"),
    validation = Rule::new("!has(self.manifest) || (self.manifest.body.threshold == self.keys.threshold && self.manifest.body.keys == self.keys.shares.map(s, s.arn))")
        .message("manifest.body.threshold or manifest.body.keys are not spec.keys.threshold and the ARNs of spec.keys.shares in their order: render and sign a manifest for these keys, in the same change")
        .reason(Reason::FieldValueInvalid)
        .field_path(".manifest"),
    validation = Rule::new("!has(self.keys.policy) || !has(self.keys.policy.pins) || !self.keys.policy.pins.exists(p, p == 'pcr16' || p == 'PCR16') || (has(self.release.authorities) && self.release.authorities.size() > 0)")
        .message("keys.policy.pins has PCR16, and release.authorities is empty: an image that measures no authority locks nothing in PCR16, so the keys would refuse its chambers. Name its authorities, or take the pin out first")
        .reason(Reason::FieldValueInvalid)
        .field_path(".keys.policy.pins"),
    validation = Rule::new("!has(self.keys.policy) || !has(self.keys.policy.pins) || !self.keys.policy.pins.exists(p, p == 'pcr16' || p == 'PCR16') || (has(self.keys.policy.profile) && self.keys.policy.profile == 'Pinned')")
        .message("keys.policy.pins has PCR16 with profile Standard: an identity policy in the key's account goes past statement 3 there, and with it past the pin. Set keys.policy.profile to Pinned")
        .reason(Reason::FieldValueInvalid)
        .field_path(".keys.policy.pins"),
    validation = Rule::new("!has(self.manifest) || self.sealing == 'Managed'")
        .message("manifest needs sealing Managed: with External nobody would read it")
        .reason(Reason::FieldValueInvalid)
        .field_path(".manifest")
)]
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
    /// What an authority signed of the keys above: chambers whose image measures an authority seal and unseal under it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub manifest: Option<ManifestSpec>,
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
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.measurement.pcr16)")
    .message("measurement.pcr16 is given: PCR16 is of spec.manifest, not of an image, and is computed from it. Leave it out")
    .reason(Reason::FieldValueForbidden)
    .field_path(".measurement"))]
pub struct Release {
    /// Container image, best with its digest.
    #[schemars(length(min = 1, max = 1024))]
    pub image: String,
    /// What its enclave attests.
    #[schemars(schema_with = "crate::schema::measurement")]
    pub measurement: MeasurementSpec,
    /// Public keys (PEM, `PUBLIC KEY`) of the authorities that its image measures, as its measurement file lists them.
    /// With one, chambers do nothing without a cluster manifest that it signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 4),
        inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub authorities: Vec<String>,
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
