//! Rules that a policy must keep, each with its cure.

use measurement::Pcr;
use strum::{Display, EnumIter, IntoEnumIterator};

use crate::evaluate::{names_action, pattern};
use crate::statement::{Effect, Match, Statement};
use crate::template::{DENIED_ACTIONS, Sid, Template};
use crate::{ATTESTATION, IMAGE_SHA384, Policy};

/// Bytes that KMS accepts (quota "Key policy document size").
pub const MAX_SIZE: usize = 32_768;
/// Measurements at most: the current release and the next one.
const MAX_MEASUREMENTS: usize = 2;

/// What uses a key's material.
const DATA_OPERATIONS: [&str; 9] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:DeriveSharedSecret",
];
/// What gives others a way to the key's material.
const WAYS_ROUND: [&str; 2] = ["kms:PutKeyPolicy", "kms:CreateGrant"];

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display)]
pub enum Severity {
    /// Worth knowing; the template itself has it.
    Note,
    /// Should be mended.
    Warning,
    /// Must not be written.
    Error,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum RuleId {
    /// The account's root may not do everything: losing the admin role loses the key.
    MissingBreakGlass,
    /// An administrator may use the key's material.
    AdminUsesKey,
    /// The enclave role may decrypt without the right attestation.
    DecryptWithoutAttestation,
    /// A value of `ImageSha384` is not 96 lower-case hex characters.
    MalformedMeasurement,
    /// A value of `ImageSha384` is all zeros.
    ZeroMeasurement,
    /// More than two measurements are admitted.
    TooManyMeasurements,
    /// Data operations without attestation are not denied to everybody.
    MissingDeny,
    /// Somebody whom the template does not name may use the key or open a way to it.
    ForeignAllow,
    /// The document is larger than KMS accepts.
    TooLarge,
    /// The root statement lets IAM policies of the account decide.
    RootDelegates,
    /// `kms:Create*` includes `CreateGrant`.
    AdminCreatesGrants,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// How bad.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do.
    pub cure: String,
}

fn error(rule: RuleId, message: impl Into<String>, cure: &str) -> Finding {
    finding(rule, Severity::Error, message, cure)
}

fn finding(rule: RuleId, severity: Severity, message: impl Into<String>, cure: &str) -> Finding {
    Finding {
        rule,
        severity,
        message: message.into(),
        cure: cure.to_owned(),
    }
}

/// Everything that the rules find, in the order of the rules.
pub fn lint(policy: &Policy, template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(break_glass(policy, template));
    findings.extend(
        policy
            .statements()
            .iter()
            .filter_map(|s| admin_uses_key(s, template)),
    );
    findings.extend(decrypt_without_attestation(policy));
    findings.extend(measurements(policy));
    findings.extend(missing_deny(policy));
    findings.extend(
        policy
            .statements()
            .iter()
            .enumerate()
            .filter_map(|(i, s)| foreign_allow(i, s, template)),
    );
    findings.extend(too_large(policy));
    findings.extend(notes(policy));
    findings.sort_by_key(|finding| finding.rule);
    findings
}

fn names_only(statement: &Statement, arn: &str) -> bool {
    statement.principals.as_ref().is_some_and(|principals| {
        !principals.negated
            && principals
                .listed
                .values()
                .flatten()
                .all(|found| found == arn)
    })
}

fn break_glass(policy: &Policy, template: &Template) -> Option<Finding> {
    let root = template.root_arn();
    let there = policy.statements().iter().any(|statement| {
        let names_root = statement.principals.as_ref().is_some_and(|principals| {
            let mut listed = principals.listed.values().flatten();
            !principals.negated
                && listed.any(|found| *found == root || *found == template.key_account)
        });
        let everything = statement.actions.as_ref().is_some_and(|actions| {
            !actions.negated && actions.listed.iter().any(|a| a == "kms:*" || a == "*")
        });
        statement.effect == Effect::Allow
            && names_root
            && everything
            && statement.conditions.is_empty()
            && statement.resources.is_some()
    });
    (!there).then(|| {
        error(
            RuleId::MissingBreakGlass,
            format!("{root} may not do kms:*: without its admin role the key would be lost"),
            "Put the statement EnableIAMRootPermissionsBreakGlass back",
        )
    })
}

/// The admin role, in whatever statement, holds no data operation.
fn admin_uses_key(statement: &Statement, template: &Template) -> Option<Finding> {
    let is_admin = statement.sid.as_deref() == Some(Sid::AllowKeyAdministrators.into())
        || names_only(statement, &template.admin_role_arn);
    if statement.effect != Effect::Allow || !is_admin {
        return None;
    }
    let held = DATA_OPERATIONS
        .into_iter()
        .find(|action| names_action(statement, action))?;
    Some(error(
        RuleId::AdminUsesKey,
        format!(
            "statement {} gives the key administrators {held}",
            name(statement)
        ),
        "Remove it, also where a wildcard includes it",
    ))
}

fn name(statement: &Statement) -> &str {
    statement.sid.as_deref().unwrap_or("without a Sid")
}

/// An Allow of Decrypt to the enclave role is gated by `ImageSha384`.
fn decrypt_without_attestation(policy: &Policy) -> Option<Finding> {
    let statement = policy.statement(Sid::AllowChamberEnclaveDecryptWithAttestation.into())?;
    let gated = statement.conditions.iter().any(|condition| {
        condition.operator == "StringEqualsIgnoreCase"
            && condition.key.eq_ignore_ascii_case(IMAGE_SHA384)
    });
    (!gated).then(|| {
        error(
            RuleId::DecryptWithoutAttestation,
            format!("statement {} has no StringEqualsIgnoreCase on {IMAGE_SHA384}", name(statement)),
            "Compare the key with the list of admitted measurements; it is a scalar, so without ForAnyValue",
        )
    })
}

fn measurements(policy: &Policy) -> Vec<Finding> {
    let Some(statement) = policy.statement(Sid::AllowChamberEnclaveDecryptWithAttestation.into())
    else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for condition in &statement.conditions {
        let key = condition.key.to_lowercase();
        if !key.starts_with(ATTESTATION) {
            continue;
        }
        for value in &condition.values {
            match Pcr::parse(value) {
                Ok(pcr) if pcr.is_zero() && key.ends_with("imagesha384") => findings.push(error(
                    RuleId::ZeroMeasurement,
                    format!(
                        "{} admits all zeros, which every enclave in debug mode attests",
                        condition.key
                    ),
                    "Remove it",
                )),
                Ok(_) => {}
                Err(why) => findings.push(error(
                    RuleId::MalformedMeasurement,
                    format!("{} has the value {value:?}, which {why}", condition.key),
                    "Use what `nitro-cli describe-eif` prints",
                )),
            }
        }
        if key.ends_with("imagesha384") && condition.values.len() > MAX_MEASUREMENTS {
            findings.push(error(
                RuleId::TooManyMeasurements,
                format!("{} measurements are admitted", condition.values.len()),
                "Keep the current release and the one that is rolled out",
            ));
        }
    }
    findings
}

/// One Deny for everybody covers every operation that could carry an attestation and does not.
fn missing_deny(policy: &Policy) -> Option<Finding> {
    let denies: Vec<_> = policy
        .statements()
        .iter()
        .filter(|statement| denies_unattested(statement))
        .collect();
    let open = DENIED_ACTIONS.into_iter().find(|action| {
        !denies
            .iter()
            .any(|statement| names_action(statement, action))
    })?;
    Some(error(
        RuleId::MissingDeny,
        format!("{open} without an attestation is not denied to everybody"),
        "Put the statement DenyDataOpsWithoutAttestation back, with all its actions",
    ))
}

fn denies_unattested(statement: &Statement) -> bool {
    let everybody = statement.principals.as_ref().is_some_and(|principals| {
        !principals.negated
            && principals
                .listed
                .get("AWS")
                .is_some_and(|all| all.iter().any(|one| one == "*"))
    });
    let absent = match statement.conditions.as_slice() {
        [] => true,
        [only] => {
            only.operator == "Null"
                && only.key.eq_ignore_ascii_case(IMAGE_SHA384)
                && only
                    .values
                    .iter()
                    .any(|value| value.eq_ignore_ascii_case("true"))
        }
        _ => false,
    };
    statement.effect == Effect::Deny && everybody && absent && statement.resources.is_some()
}

/// A statement that is none of the five gives nobody the key's material, nor a way to it.
fn foreign_allow(index: usize, statement: &Statement, template: &Template) -> Option<Finding> {
    let ours = Sid::iter().any(|sid| {
        statement.sid.as_deref() == Some(sid.into()) && as_named(sid, statement, template)
    });
    if statement.effect != Effect::Allow || ours {
        return None;
    }
    let administers = names_only(statement, &template.admin_role_arn)
        || names_only(statement, &template.root_arn());
    let given = DATA_OPERATIONS
        .into_iter()
        .chain(WAYS_ROUND.into_iter().filter(|_| !administers))
        .find(|action| names_action(statement, action))?;
    Some(error(
        RuleId::ForeignAllow,
        format!(
            "statement {} (#{index}) gives {} to {}",
            name(statement),
            given,
            who(statement)
        ),
        "Remove it: only the enclave role may use the key, only its administrators may change it",
    ))
}

/// One of the five by its Sid is only taken as such with its own principal.
fn as_named(sid: Sid, statement: &Statement, template: &Template) -> bool {
    let principal = match sid {
        Sid::EnableIAMRootPermissionsBreakGlass => template.root_arn(),
        Sid::AllowKeyAdministrators => return administrators(statement),
        Sid::AllowChamberEnclaveDecryptWithAttestation
        | Sid::AllowChamberEnclaveEncryptForWrapping => template.enclave_role_arn(),
        Sid::DenyDataOpsWithoutAttestation => return false,
    };
    let own = match sid {
        Sid::AllowChamberEnclaveDecryptWithAttestation => Some("kms:Decrypt"),
        Sid::AllowChamberEnclaveEncryptForWrapping => Some("kms:Encrypt"),
        _ => None,
    };
    let more = own.is_some_and(|own| {
        DATA_OPERATIONS
            .into_iter()
            .chain(WAYS_ROUND)
            .any(|action| action != own && names_action(statement, action))
    });
    names_only(statement, &principal) && !more
}

/// Administrators are named roles or users, never everybody and never an account.
fn administrators(statement: &Statement) -> bool {
    statement.principals.as_ref().is_some_and(|principals| {
        let mut listed = principals.listed.values().flatten();
        !principals.negated
            && listed.all(|arn| {
                arn.contains(":role/") || arn.contains(":user/") || arn.contains(":assumed-role/")
            })
    })
}

fn who(statement: &Statement) -> String {
    match &statement.principals {
        None => "nobody".to_owned(),
        Some(Match { negated, listed }) => {
            let listed: Vec<_> = listed.values().flatten().map(String::as_str).collect();
            let not = if *negated { "everybody but " } else { "" };
            format!("{not}{}", listed.join(", "))
        }
    }
}

fn too_large(policy: &Policy) -> Option<Finding> {
    let size = policy.size();
    (size > MAX_SIZE).then(|| {
        error(
            RuleId::TooLarge,
            format!("the document has {size} bytes, KMS accepts {MAX_SIZE}"),
            "Remove statements that are not needed",
        )
    })
}

/// Known holes of the template itself.
fn notes(policy: &Policy) -> Vec<Finding> {
    let mut notes = Vec::new();
    if policy
        .statement(Sid::EnableIAMRootPermissionsBreakGlass.into())
        .is_some()
    {
        notes.push(finding(
            RuleId::RootDelegates,
            Severity::Note,
            "the root statement lets IAM policies of the account decide: a principal that they allow may decrypt from any attested enclave",
            "Keep IAM policies of the account from allowing kms:Decrypt on this key",
        ));
    }
    let admin = policy.statement(Sid::AllowKeyAdministrators.into());
    let grants = admin
        .and_then(|admin| admin.actions.as_ref())
        .is_some_and(|actions| {
            actions
                .listed
                .iter()
                .any(|listed| pattern(listed, "kms:CreateGrant", true))
        });
    if grants {
        notes.push(finding(
            RuleId::AdminCreatesGrants,
            Severity::Note,
            "the administrators may create grants, which go round the Allow of statement 3 (not round the Deny)",
            "Keep the Deny; name the Create actions one by one where that is too little",
        ));
    }
    notes
}
