//! What KMS says of the key itself, beside its policy: `DescribeKey`, `ListKeyPolicies` and `ListGrants`.

use super::{DATA_OPERATIONS, Finding, RuleId, Severity};

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
    /// What could be listed of it.
    pub lists: KeyLists,
}

/// What goes beside a key's policy, as far as whoever reads the key may list it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLists {
    /// Names that `ListKeyPolicies` returns.
    pub policy_names: Vec<String>,
    /// What `ListGrants` returns.
    pub grants: Vec<Grant>,
    /// Calls that gave no list.
    pub unread: Vec<Unread>,
}

/// A grant on a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// `GrantId`.
    pub id: String,
    /// `Name`, where it has one.
    pub name: Option<String>,
    /// `GranteePrincipal`, or the service in its place.
    pub grantee: String,
    /// `Operations`, for example `Decrypt`.
    pub operations: Vec<String>,
}

impl Grant {
    /// As an entry of `ListGrants` has it: the one whom it is for is a principal, or a service in its place.
    pub fn listed<'a>(
        id: Option<String>,
        name: Option<String>,
        grantee: [Option<String>; 2],
        operations: impl Iterator<Item = &'a str>,
    ) -> Self {
        let [principal, service] = grantee;
        Self {
            operations: operations.map(str::to_owned).collect(),
            id: id.unwrap_or_default(),
            name,
            grantee: principal.or(service).unwrap_or_default(),
        }
    }
}

/// A call that gave no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The permission that the call needs, for example `kms:ListGrants`.
    pub permission: &'static str,
    /// What was answered, for example `AccessDeniedException`.
    pub code: String,
}

impl Unread {
    /// Whether the caller may not make the call: this does not pass by itself.
    pub fn is_refusal(code: &str) -> bool {
        ["AccessDenied", "AccessDeniedException"].contains(&code)
    }
}

/// Everything that the rules find in the key, in the order of the rules.
pub fn lint_key(key: &KeyFacts) -> Vec<Finding> {
    let mut findings = described(key);
    findings.extend(grants(&key.lists.grants));
    findings.extend(key.lists.unread.iter().map(not_read));
    findings
}

fn warning(rule: RuleId, message: String, cure: &'static str) -> Finding {
    Finding::new(rule, Severity::Warning, message, cure)
}

fn described(key: &KeyFacts) -> Vec<Finding> {
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
    let mut names = key.lists.policy_names.iter();
    if let Some(other) = names.find(|name| *name != "default") {
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

/// Grants that open the key, by their id: KMS lists them in no order.
fn grants(grants: &[Grant]) -> Vec<Finding> {
    let mut opening: Vec<_> = grants
        .iter()
        .map(|grant| (grant, opening(grant)))
        .filter(|(_, operations)| !operations.is_empty())
        .collect();
    opening.sort_by_key(|(grant, _)| &grant.id);
    let finding = |(grant, operations): (&Grant, Vec<&str>)| {
        let name = grant.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!(" ({name})"));
        let message = format!(
            "grant {}{name} gives {} to {}: it goes round the Allow statements, not round a Deny",
            grant.id,
            operations.join(", "),
            grant.grantee
        );
        let cure = "Take it back by RevokeGrant with this grant id, unless it is meant";
        warning(RuleId::Grant, message, cure)
    };
    opening.into_iter().map(finding).collect()
}

/// Its operations that use the key's material, or give them on.
fn opening(grant: &Grant) -> Vec<&str> {
    let opens = |operation: &&str| {
        let action = format!("kms:{operation}");
        *operation == "CreateGrant" || DATA_OPERATIONS.contains(&action.as_str())
    };
    let operations = grant.operations.iter().map(String::as_str);
    let mut operations: Vec<_> = operations.filter(opens).collect();
    operations.sort_unstable();
    operations
}

fn not_read(unread: &Unread) -> Finding {
    let Unread { permission, code } = unread;
    let what = match *permission {
        "kms:ListGrants" => "its grants were",
        _ => "a second policy was",
    };
    let cure = if Unread::is_refusal(code) {
        format!("Allow {permission} to the role that reads the key")
    } else {
        "It is asked again".to_owned()
    };
    let message = format!("{permission} on the key fails with {code}: {what} not looked for");
    Finding::new(RuleId::FactsNotRead, Severity::Note, message, cure)
}
