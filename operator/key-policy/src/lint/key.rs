//! What `DescribeKey` and `ListKeyPolicies` say of the key itself.

use super::{Finding, RuleId, Severity};

/// A key as KMS describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFacts {
    /// `KeyMetadata.MultiRegion`.
    pub multi_region: bool,
    /// `KeyMetadata.Origin`, for example `AWS_KMS`.
    pub origin: String,
    /// `KeyMetadata.KeyUsage`, for example `ENCRYPT_DECRYPT`.
    pub usage: String,
    /// `KeyMetadata.KeyState`, for example `Enabled`.
    pub state: String,
    /// Names that `ListKeyPolicies` returns.
    pub policy_names: Vec<String>,
}

/// Everything that the rules find in the key, in the order of the rules.
pub fn lint_key(key: &KeyFacts) -> Vec<Finding> {
    let warning =
        |rule, message: String, cure| Finding::new(rule, Severity::Warning, message, cure);
    let mut findings = Vec::new();
    if key.multi_region {
        findings.push(warning(
            RuleId::MultiRegion,
            "the key is a multi-Region key: a replica has a policy of its own".to_owned(),
            "Use a key of one Region for each share",
        ));
    }
    if key.origin != "AWS_KMS" {
        findings.push(warning(
            RuleId::ImportedMaterial,
            format!(
                "the key's material has the origin {}: somebody has a copy of it",
                key.origin
            ),
            "Use a key whose material KMS made (origin AWS_KMS)",
        ));
    }
    if let Some(other) = key.policy_names.iter().find(|name| *name != "default") {
        findings.push(warning(
            RuleId::SecondPolicy,
            format!("the key has the policy {other} beside default, and both count"),
            "End the resource share that made it",
        ));
    }
    if key.state != "Enabled" || key.usage != "ENCRYPT_DECRYPT" {
        findings.push(warning(
            RuleId::KeyNotUsable,
            format!("the key is {} for {}", key.state, key.usage),
            "Use an enabled key for ENCRYPT_DECRYPT",
        ));
    }
    findings
}
