//! What a policy admits, and the same policy admitting other measurements.

use std::collections::{BTreeMap, BTreeSet};

use measurement::Measurement;
use strum::IntoEnumIterator;

use crate::statement::{Effect, Match, Statement};
use crate::template::{Sid, Template};
use crate::{ATTESTATION, Policy};

/// Why a policy is not one of the five statements of this cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// One of the five statements is not there.
    #[error("has no statement {sid}")]
    MissingStatement {
        /// Its Sid.
        sid: String,
    },
    /// A statement is for another cluster's enclave role.
    #[error("names {found} where this cluster's enclave role is {expected}")]
    ForeignRole {
        /// The principals found.
        found: String,
        /// The role expected.
        expected: String,
    },
    /// A statement is not as the template has it.
    #[error("has in statement {sid} {what}")]
    Unexpected {
        /// Its Sid.
        sid: String,
        /// What is not as expected.
        what: String,
    },
}

/// What statement 3 admits. Values are as found, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Values of `ImageSha384`.
    pub image_sha384: BTreeSet<String>,
    /// Values of further registers that are pinned, by index.
    pub registers: BTreeMap<u8, BTreeSet<String>>,
}

/// What a policy of the five statements admits.
pub fn admitted(policy: &Policy, template: &Template) -> Result<Admitted, NotOurs> {
    for sid in Sid::iter() {
        let name: &str = sid.into();
        if policy.statement(name).is_none() {
            return Err(NotOurs::MissingStatement {
                sid: name.to_owned(),
            });
        }
    }
    let encrypt = policy.statement(Sid::AllowChamberEnclaveEncryptForWrapping.into());
    if let Some(statement) = encrypt {
        role(statement, template)?;
    }
    let decrypt = policy.statement(Sid::AllowChamberEnclaveDecryptWithAttestation.into());
    let decrypt = decrypt.ok_or_else(|| NotOurs::MissingStatement {
        sid: Sid::AllowChamberEnclaveDecryptWithAttestation.to_string(),
    })?;
    role(decrypt, template)?;
    shape(decrypt)?;
    values(decrypt)
}

/// The same policy with statement 3 admitting exactly these measurements. All else stays.
pub fn project(
    policy: &Policy,
    template: &Template,
    live: &[Measurement],
) -> Result<Policy, NotOurs> {
    admitted(policy, template)?;
    let sid: &str = Sid::AllowChamberEnclaveDecryptWithAttestation.into();
    policy
        .with_condition(sid, template.condition(live))
        .map_err(|error| unexpected(error.to_string()))
}

fn unexpected(what: impl Into<String>) -> NotOurs {
    NotOurs::Unexpected {
        sid: Sid::AllowChamberEnclaveDecryptWithAttestation.to_string(),
        what: what.into(),
    }
}

/// The statement is for the enclave role and nobody else.
fn role(statement: &Statement, template: &Template) -> Result<(), NotOurs> {
    let expected = template.enclave_role_arn();
    let found: Vec<_> = match &statement.principals {
        Some(Match {
            negated: false,
            listed,
        }) => listed.values().flatten().map(String::as_str).collect(),
        Some(Match { negated: true, .. }) => vec!["NotPrincipal"],
        None => Vec::new(),
    };
    if found == [expected.as_str()] {
        return Ok(());
    }
    Err(NotOurs::ForeignRole {
        found: found.join(", "),
        expected,
    })
}

/// Statement 3 allows Decrypt on this key and nothing else.
fn shape(statement: &Statement) -> Result<(), NotOurs> {
    let only = |matched: &Option<Match<Vec<String>>>, wanted: &str| {
        matched.as_ref().is_some_and(|matched| {
            !matched.negated
                && matched
                    .listed
                    .iter()
                    .all(|found| found.eq_ignore_ascii_case(wanted))
                && !matched.listed.is_empty()
        })
    };
    if statement.effect != Effect::Allow {
        return Err(unexpected("the effect Deny"));
    }
    if !only(&statement.actions, "kms:Decrypt") {
        return Err(unexpected("other actions than kms:Decrypt"));
    }
    if !only(&statement.resources, "*") {
        return Err(unexpected("another resource than \"*\""));
    }
    Ok(())
}

fn values(statement: &Statement) -> Result<Admitted, NotOurs> {
    let mut admitted = Admitted::default();
    let mut gated = false;
    for condition in &statement.conditions {
        if condition.operator != "StringEqualsIgnoreCase" {
            let what = format!(
                "the operator {} (only StringEqualsIgnoreCase is understood)",
                condition.operator
            );
            return Err(unexpected(what));
        }
        let values = condition
            .values
            .iter()
            .map(|value| value.to_lowercase())
            .collect();
        let key = condition.key.to_lowercase();
        match key.strip_prefix(ATTESTATION) {
            Some("imagesha384") => {
                gated = true;
                admitted.image_sha384 = values;
            }
            Some(register) => {
                let index = register
                    .strip_prefix("pcr")
                    .and_then(|digits| digits.parse().ok());
                let index: u8 = index
                    .ok_or_else(|| unexpected(format!("the condition key {}", condition.key)))?;
                admitted.registers.insert(index, values);
            }
            None => return Err(unexpected(format!("the condition key {}", condition.key))),
        }
    }
    if !gated {
        return Err(unexpected(
            "no condition on kms:RecipientAttestation:ImageSha384: anybody's enclave would be admitted",
        ));
    }
    Ok(admitted)
}
