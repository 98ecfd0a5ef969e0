//! The keys that wrap the shares of the master key.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The keys and how many of them open the master key.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.threshold <= self.shares.size()")
        .message("threshold is above the number of shares: no set of keys could ever open the master key")
        .reason(Reason::FieldValueInvalid)
        .field_path(".threshold"),
    validation = Rule::new("self.shares.all(a, self.shares.exists_one(b, a.arn == b.arn))")
        .message("two shares name the same key ARN: each share needs a key of its own")
        .reason(Reason::FieldValueInvalid)
        .field_path(".shares"),
    validation = Rule::new("self.shares.all(a, !a.arn.contains(':key/mrk-') || !self.shares.exists(b, b.arn != a.arn && b.arn.substring(0, b.arn.indexOf(':kms:')) == a.arn.substring(0, a.arn.indexOf(':kms:')) && b.arn.substring(b.arn.indexOf(':', b.arn.indexOf(':kms:') + 5)) == a.arn.substring(a.arn.indexOf(':', a.arn.indexOf(':kms:') + 5))))")
        .message("two shares name replicas of one multi-Region key (mrk-...), which hold the same key material: each share needs a key of its own")
        .reason(Reason::FieldValueInvalid)
        .field_path(".shares"),
    validation = Rule::new("!has(self.acceptAtRisk) || self.acceptAtRisk.all(n, self.shares.exists(s, s.name == n))")
        .message("acceptAtRisk names a share that is not there: use the names of spec.keys.shares")
        .reason(Reason::FieldValueInvalid)
        .field_path(".acceptAtRisk"),
    validation = Rule::new("!has(self.acceptAtRisk) || self.shares.size() - self.acceptAtRisk.size() >= self.threshold")
        .message("acceptAtRisk leaves fewer keys than the threshold: the master key could not be opened")
        .reason(Reason::FieldValueInvalid)
        .field_path(".acceptAtRisk")
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
    /// Names of shares whose key holds up no rollover: unusable (disabled, pending deletion, unreadable), refusing writes, or
    /// with a holder who does not answer. The threshold must be reached with the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 32)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub accept_at_risk: Vec<String>,
}

/// One share and the KMS key that wraps it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.management != 'Managed' || has(self.assumeRoleArn)")
    .message("a Managed key needs assumeRoleArn: the key holder's admin role, which the operator assumes")
    .reason(Reason::FieldValueRequired)
    .field_path(".assumeRoleArn"))]
pub struct Share {
    /// Name of the share in status and messages.
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Full ARN of the KMS key (no alias: an alias can be pointed elsewhere).
    #[schemars(schema_with = "crate::schema::key_arn")]
    pub arn: String,
    /// Managed: the operator writes the policy. Observed: its holder does, the operator waits.
    #[serde(default)]
    pub management: Management,
    /// Role that the operator assumes for this key: the admin role (Managed), or one that may read (Observed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::role_arn")]
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
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.assume) || self.assume.all(k, k.matches('^[a-z0-9-]+:[A-Za-z0-9:/+=._@-]+$'))")
        .message("assume has a name that is no condition key: expected service:Key, for example aws:SourceVpce")
        .reason(Reason::FieldValueInvalid)
        .field_path(".assume"),
    validation = Rule::new("!has(self.assume) || self.assume.all(k, !k.matches('(?i)^(kms:RecipientAttestation|kms:CallerAccount$|aws:userid$|aws:username$|aws:Principal(Arn|Account|Type|IsAWSService|ServiceName|ServiceNamesList|Tag/.*)$)'))")
        .message("assume names who asks or what is attested: that is never assumed, as the enclave role and the release say it")
        .reason(Reason::FieldValueInvalid)
        .field_path(".assume")
)]
pub struct KeyPolicySettings {
    /// Standard: the five statements. Pinned: a Deny as well, so that a retired measurement is retired for
    /// everybody. Changing it writes the policies; nothing is rolled.
    #[serde(default)]
    pub profile: Profile,
    /// Registers to pin beside ImageSha384, as `spec.release.measurement` spells them (for example `pcr8`; `PCR8` means the
    /// same), where every live release has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(regex(pattern = r"^(pcr|PCR)([1-9]|[12][0-9]|3[01])$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub pins: Vec<String>,
    /// Takes over keys whose policy somebody else made: the five statements are written into it, and a release
    /// that is found in it stays there until Retire. Statements of others stay. `kubectl chamber plan` and
    /// status show the change before.
    #[serde(default)]
    pub adopt: bool,
    /// What is true of every request of a chamber, by condition key, where Deny statements of others ask for it: for
    /// example `aws:SourceVpce: vpce-1a2b3c4d` or `aws:PrincipalOrgID: o-a1b2c3d4e5`; an empty text is a key that is
    /// absent. It decides where lock-out is judged, and nothing else: no foreign Allow is taken for harmless by it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::assumed")]
    pub assume: BTreeMap<String, String>,
    /// What happens to a policy that someone else changed while no rollover is in flight.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
}

/// What happens to a policy that someone else changed while no rollover is in flight.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DriftPolicy {
    /// It is put back.
    #[default]
    Repair,
    /// It is reported, with reason `PolicyDrift`.
    Report,
}

/// Which statements a policy carries.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// The five statements.
    #[default]
    Standard,
    /// The five statements, and a Deny for every measurement that is not admitted.
    Pinned,
}
