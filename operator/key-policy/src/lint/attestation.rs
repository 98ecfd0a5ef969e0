//! Statement 3: whom it admits, and how.

use std::collections::BTreeSet;

use measurement::Pcr;

use super::{Finding, RuleId};
use crate::evaluate::names_action;
use crate::statement::{Condition, Effect, Statement};
use crate::template::Sid;
use crate::{ATTESTATION, IMAGE_SHA384, Policy};

/// The current release and the next one.
const MAX_MEASUREMENTS: usize = 2;
const DESCRIBE: &str = "Use what `nitro-cli describe-eif` prints, in lower case and without 0x";

/// Every statement that is there to let enclaves decrypt compares `ImageSha384`.
pub fn gate(policy: &Policy) -> impl Iterator<Item = Finding> {
    decrypts(policy).filter_map(|statement| {
        let gated = statement.conditions.iter().any(|condition| {
            condition.operator == "StringEqualsIgnoreCase" && is_image(condition)
        });
        (!gated && statement.effect == Effect::Allow).then(|| {
            Finding::error(
                RuleId::DecryptWithoutAttestation,
                format!(
                    "statement {} has no StringEqualsIgnoreCase on {IMAGE_SHA384}",
                    Sid::AllowChamberEnclaveDecryptWithAttestation
                ),
                "Compare the key with the list of admitted measurements; it has one value, so without ForAnyValue and ForAllValues",
            )
        })
    })
}

/// The values that statement 3 compares with.
pub fn measurements(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for condition in decrypts(policy).flat_map(|statement| &statement.conditions) {
        if !is_register(condition) {
            continue;
        }
        findings.extend(
            condition
                .values
                .iter()
                .filter_map(|value| malformed(condition, value)),
        );
        if !is_image(condition) || condition.values.len() <= MAX_MEASUREMENTS {
            continue;
        }
        let values = condition.values.iter();
        let different: BTreeSet<_> = values.map(|value| value.to_ascii_lowercase()).collect();
        if different.len() > MAX_MEASUREMENTS {
            findings.push(Finding::error(
                RuleId::TooManyMeasurements,
                format!("{} measurements are admitted", different.len()),
                "Keep the current release and the one that is rolled out",
            ));
        }
    }
    findings
}

fn decrypts(policy: &Policy) -> impl Iterator<Item = &Statement> {
    policy.statements_named(Sid::AllowChamberEnclaveDecryptWithAttestation.into())
}

fn is_register(condition: &Condition) -> bool {
    let beginning = condition.key.get(..ATTESTATION.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(ATTESTATION))
}

fn is_image(condition: &Condition) -> bool {
    condition.key.eq_ignore_ascii_case(IMAGE_SHA384)
}

fn malformed(condition: &Condition, value: &str) -> Option<Finding> {
    // Nearly all are: their bytes need not be read.
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if value.len() == 96 && value.bytes().all(digit) {
        return None;
    }
    let why = Pcr::parse(value).err()?;
    Some(Finding::error(
        RuleId::MalformedMeasurement,
        format!("{} has the value {value:?}, which {why}", condition.key),
        DESCRIBE,
    ))
}

/// Zeros that a statement lets pass: an Allow that compares with them, or a Deny that spares them.
pub fn zeros(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        let spares = |condition: &&Condition| {
            let negated = condition.operator.contains("Not");
            condition.operator != "Null" && negated == (statement.effect == Effect::Deny)
        };
        let zeros = |condition: &&Condition| condition.values.iter().any(|value| is_zero(value));
        let of_registers = |condition: &&Condition| is_register(condition);
        let conditions = statement.conditions.iter().filter(spares);
        let conditions = conditions.filter(zeros).filter(of_registers);
        findings.extend(conditions.map(|condition| {
            let who = if is_image(condition) {
                "every enclave in debug mode attests"
            } else {
                "unsigned or unbound images and enclaves in debug mode attest"
            };
            Finding::error(
                RuleId::ZeroMeasurement,
                format!(
                    "statement {} lets {} be all zeros, which {who}",
                    statement.name(index),
                    condition.key
                ),
                "Remove it",
            )
            .at(index)
        }));
    }
    findings
}

fn is_zero(value: &str) -> bool {
    value.len() == 96 && value.bytes().all(|byte| byte == b'0')
}

/// Values that a Deny spares and that statement 3 does not admit: of a release that was retired, or never known.
pub fn spared(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        let negated =
            |condition: &&Condition| condition.operator.contains("Not") && is_register(condition);
        let compares = statement.effect == Effect::Deny
            && statement.conditions.iter().any(|one| negated(&one));
        if !compares || !names_action(statement, "kms:Decrypt") {
            continue;
        }
        for condition in statement.conditions.iter().filter(negated) {
            let Some(admitted) = admitted(policy, &register(&condition.key)) else {
                continue;
            };
            let stranger = |value: &&String| {
                let is_admitted = admitted.iter().any(|one| one.eq_ignore_ascii_case(value));
                let pcr = || Pcr::parse(&value.to_ascii_lowercase());
                !is_admitted && !is_zero(value) && pcr().is_ok_and(|pcr| !pcr.is_nobody())
            };
            findings.extend(condition.values.iter().filter(stranger).map(|value| {
                Finding::error(
                    RuleId::DenySparesMeasurement,
                    format!(
                        "statement {} spares {} {value}, which statement 3 does not admit",
                        statement.name(index),
                        condition.key
                    ),
                    "Take it out: what was retired has to be retired for everybody",
                )
                .at(index)
            }));
        }
    }
    findings
}

/// What statement 3 compares a register with; `None` where it does not.
fn admitted<'a>(policy: &'a Policy, wanted: &str) -> Option<&'a [String]> {
    let mut conditions = decrypts(policy).flat_map(|statement| &statement.conditions);
    let found = conditions.find(|condition| register(&condition.key) == wanted)?;
    Some(&found.values)
}

/// A key in lower case; PCR0 is the image.
fn register(key: &str) -> String {
    let key = key.to_ascii_lowercase();
    if key == IMAGE_SHA384.to_ascii_lowercase() {
        return format!("{ATTESTATION}pcr0");
    }
    key
}
