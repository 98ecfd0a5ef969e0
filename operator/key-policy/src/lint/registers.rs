//! Conditions on attestation keys, in whatever statement.

use super::{Finding, RuleId, Severity};
use crate::evaluate::{Truth, is_attestation, is_attested, without_attestation};
use crate::statement::{Condition, Effect, Statement};
use crate::template::Sid;
use crate::{ATTESTATION, Policy};

/// Registers that tie an enclave to its instance's role, its instance or its signer.
const BINDING: [&str; 3] = ["pcr3", "pcr4", "pcr8"];

/// What is wrong with single conditions: their operator, their key, the case of their values.
pub fn conditions(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        for condition in &statement.conditions {
            let Some(register) = register(condition) else {
                continue;
            };
            let found = set_operator(statement, index, condition)
                .into_iter()
                .chain(case_sensitive(statement, index, condition))
                .chain(unknown_key(policy, index, condition, register));
            findings.extend(found.map(|finding| finding.at(index)));
        }
    }
    findings
}

/// Keys under one negated operator must all differ, so each register needs a Deny of its own.
pub fn several_in_one_deny(policy: &Policy) -> impl Iterator<Item = Finding> {
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(|(index, statement)| {
        let negated = |condition: &&Condition| condition.operator.contains("Not") && register(condition).is_some();
        let count = statement.conditions.iter().filter(negated).count();
        (statement.effect == Effect::Deny && count > 1).then(|| {
            Finding::error(
                RuleId::RegistersInOneDeny,
                format!(
                    "statement {} denies only where {count} registers differ at once: an enclave with one right register passes",
                    statement.name(index)
                ),
                "Write one Deny statement per register",
            )
            .at(index)
        })
    })
}

/// With nothing but the image, anybody who may start the image may use the key with it.
pub fn deployment(policy: &Policy) -> Option<Finding> {
    let mut decrypts =
        policy.statements_named(Sid::AllowChamberEnclaveDecryptWithAttestation.into());
    decrypts.any(|statement| !is_bound(statement)).then(|| {
        Finding::new(
            RuleId::NoDeploymentBinding,
            Severity::Note,
            "the image alone is compared: whoever has the image may start it anywhere",
            "Pin PCR8 (the signer) or PCR3 (the instance's role) where releases have them",
        )
    })
}

fn is_bound(statement: &Statement) -> bool {
    let mut registers = statement.conditions.iter().filter_map(register);
    registers.any(|register| BINDING.iter().any(|one| one.eq_ignore_ascii_case(register)))
}

/// What follows `kms:RecipientAttestation:`; empty for the key without it.
fn register(condition: &Condition) -> Option<&str> {
    if !is_attestation(&condition.key) {
        return None;
    }
    let behind = condition.key.get(ATTESTATION.len() - 1..)?;
    if behind.is_empty() {
        return Some(behind);
    }
    behind.strip_prefix(':')
}

fn set_operator(statement: &Statement, index: usize, condition: &Condition) -> Option<Finding> {
    let (quantifier, _) = condition.operator.split_once(':')?;
    Some(Finding::new(
        RuleId::SetOperator,
        Severity::Warning,
        format!(
            "statement {} has {quantifier} on {}, which has one value",
            statement.name(index),
            condition.key
        ),
        "Use the operator without ForAnyValue and ForAllValues: ForAllValues also holds without an attestation",
    ))
}

fn case_sensitive(statement: &Statement, index: usize, condition: &Condition) -> Option<Finding> {
    let operator = condition.operator.rsplit(':').next().unwrap_or_default();
    let minds = operator.starts_with("String") && !operator.contains("IgnoreCase");
    let upper = |value: &&String| value.bytes().any(|byte| byte.is_ascii_uppercase());
    let value = condition.values.iter().find(upper).filter(|_| minds)?;
    Some(Finding::new(
        RuleId::CaseSensitive,
        Severity::Warning,
        format!(
            "statement {} compares {} by {} with {value:?}: KMS has lower case",
            statement.name(index),
            condition.key,
            condition.operator
        ),
        "Use StringEqualsIgnoreCase, and lower case",
    ))
}

fn unknown_key(
    policy: &Policy,
    index: usize,
    condition: &Condition,
    register: &str,
) -> Option<Finding> {
    let unknown = !is_attested(register);
    let statement = policy.statements().get(index).filter(|_| unknown)?;
    Some(Finding::new(
        RuleId::UnknownAttestationKey,
        Severity::Warning,
        format!(
            "statement {} has the key {}, which KMS never sets{}",
            statement.name(index),
            condition.key,
            then(policy, statement, condition)
        ),
        "Use kms:RecipientAttestation:ImageSha384 or kms:RecipientAttestation:PCR<n>, one key per register",
    ))
}

/// What follows for a statement from a key that is always absent.
fn then(policy: &Policy, statement: &Statement, condition: &Condition) -> &'static str {
    let alone = statement.conditions.len() == 1;
    match (
        without_attestation(policy, statement, condition),
        statement.effect,
    ) {
        (Truth::Yes, Effect::Deny) if alone => ", so it always holds: everybody it names is denied",
        (Truth::Yes, Effect::Allow) if alone => {
            ", so it always holds: everybody it names is allowed, without an attestation"
        }
        (Truth::Yes, _) => ", so this condition always holds: the others decide alone",
        (Truth::No, Effect::Deny) => ", so it never holds: nobody is denied",
        (Truth::No, Effect::Allow) => ", so it never holds: nobody is allowed",
        (Truth::Unknown, _) => "",
    }
}
