//! Statement 3: whom it admits, and how.

use std::collections::BTreeSet;

use measurement::Pcr;

use super::{Finding, RuleId};
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
        if !condition.key.to_ascii_lowercase().starts_with(ATTESTATION) {
            continue;
        }
        findings.extend(
            condition
                .values
                .iter()
                .filter_map(|value| one(condition, value)),
        );
        let different: BTreeSet<_> = condition
            .values
            .iter()
            .map(|v| v.to_ascii_lowercase())
            .collect();
        if is_image(condition) && different.len() > MAX_MEASUREMENTS {
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

fn is_image(condition: &Condition) -> bool {
    condition.key.eq_ignore_ascii_case(IMAGE_SHA384)
}

fn one(condition: &Condition, value: &str) -> Option<Finding> {
    match Pcr::parse(value) {
        Ok(pcr) if pcr.is_zero() && is_image(condition) => Some(Finding::error(
            RuleId::ZeroMeasurement,
            format!(
                "{} admits all zeros, which every enclave in debug mode attests",
                condition.key
            ),
            "Remove it",
        )),
        Ok(_) => None,
        Err(why) => Some(Finding::error(
            RuleId::MalformedMeasurement,
            format!("{} has the value {value:?}, which {why}", condition.key),
            DESCRIBE,
        )),
    }
}
