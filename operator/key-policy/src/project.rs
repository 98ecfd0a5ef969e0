//! What a policy admits, and the same policy admitting other measurements.

use std::collections::{BTreeMap, BTreeSet};

use measurement::{Measurement, Pcr};
use strum::IntoEnumIterator;

use crate::evaluate::{Context, Truth, applies_whoever_asks};
use crate::pinned::is_pinned;
use crate::principal_name::is_deleted;
use crate::statement::{Condition, Effect, Match, Statement};
use crate::template::{Sid, Template};
use crate::{ATTESTATION, IMAGE_SHA384, Policy, canonical, deleted};

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
    /// A statement names a role or user that was deleted.
    #[error(
        "names {id} in statement {sid}, the id of a role or user that was deleted: KMS refuses every policy with such a principal"
    )]
    DeletedPrincipal {
        /// The statement's Sid.
        sid: String,
        /// The id that KMS shows.
        id: String,
    },
    /// A statement is not as the template has it.
    #[error("statement {sid} {what}")]
    Unexpected {
        /// Its Sid.
        sid: String,
        /// What is not as expected; reads on after the Sid.
        what: String,
    },
}

/// What statement 3 admits. Values are as found, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Values of `ImageSha384`, without [`Pcr::NOBODY`]: none where nobody is admitted.
    pub image_sha384: BTreeSet<String>,
    /// Values of further registers that are pinned, by index.
    pub registers: BTreeMap<u8, BTreeSet<String>>,
}

impl Admitted {
    /// Whether a measurement is listed: its image, and its own value of every register that is pinned.
    pub fn lists(&self, measurement: &Measurement) -> bool {
        let listed = |pcr: &Pcr, values: &BTreeSet<String>| values.contains(&pcr.to_string());
        listed(&measurement.image_sha384, &self.image_sha384)
            && self.registers.iter().all(|(index, values)| {
                let own = measurement.register(*index);
                own.is_some_and(|pcr| listed(pcr, values))
            })
    }
}

/// What a policy of the five statements admits.
pub fn admitted(policy: &Policy, template: &Template) -> Result<Admitted, NotOurs> {
    projects(policy, template)?;
    for sid in [Sid::AllowChamberEnclaveEncryptForWrapping, DECRYPT] {
        if let Some(id) = one(policy, sid)?.deleted_principal() {
            return Err(NotOurs::DeletedPrincipal {
                sid: sid.to_string(),
                id: id.to_owned(),
            });
        }
    }
    values(&one(policy, DECRYPT)?.conditions)
}

/// Whether [`project`] can write a policy: it is of the five statements, but that it may name deleted principals in them.
pub fn projects(policy: &Policy, template: &Template) -> Result<(), NotOurs> {
    for sid in Sid::iter() {
        one(policy, sid)?;
    }
    let expected = template.enclave_role_arn();
    role(
        one(policy, Sid::AllowChamberEnclaveEncryptForWrapping)?,
        &expected,
    )?;
    let decrypt = one(policy, DECRYPT)?;
    role(decrypt, &expected)?;
    shape(decrypt)?;
    compared(&decrypt.conditions).map(drop)
}

/// Whether a policy admits exactly these measurements in the template's profile: [`project`] would change nothing.
pub fn holds(policy: &Policy, template: &Template, live: &[Measurement]) -> Result<bool, NotOurs> {
    admitted(policy, template)?;
    let found = one(policy, DECRYPT)?;
    let pinned = policy.statements().iter().filter(|one| is_pinned(one));
    let wanted = template.pinned_statements(live);
    Ok(
        canonical::same_conditions(&found.conditions, &template.conditions(live))
            && canonical::same_statements(pinned, &wanted)
            && !deleted::in_the_five(policy),
    )
}

/// The same policy admitting exactly these measurements: statement 3 and the Deny statements of the
/// profile Pinned follow them, in one document. A deleted principal of the five statements gives way to the template's.
/// All else stays.
pub fn project(
    policy: &Policy,
    template: &Template,
    live: &[Measurement],
) -> Result<Policy, NotOurs> {
    projects(policy, template)?;
    let repaired = deleted::repaired(policy, template);
    let projected = repaired.with_conditions(DECRYPT.into(), template.conditions(live));
    let pinned = template.pinned_statements(live);
    Ok(projected.replacing(is_pinned, &pinned))
}

/// Whether an enclave with this measurement passes statement 3 and the Deny statements of the profile Pinned.
pub fn admits(
    policy: &Policy,
    template: &Template,
    measurement: &Measurement,
) -> Result<bool, NotOurs> {
    let allowed = admitted(policy, template)?.lists(measurement);
    let context = Context::open().attesting(measurement);
    let key = template.resource();
    // A register that the measurement does not name may be another one.
    let denied = policy.statements().iter().any(|statement| {
        let may_hold = || applies_whoever_asks(policy, statement, "kms:Decrypt", &key, &context);
        is_pinned(statement) && may_hold().surely() != Truth::No
    });
    Ok(allowed && !denied)
}

/// Statement 3.
pub(crate) const DECRYPT: Sid = Sid::AllowChamberEnclaveDecryptWithAttestation;

/// Whether a statement is the operator's to write, by its Sid: one of the five, or of the profile Pinned.
pub fn is_ours(statement: &Statement) -> bool {
    let sid = statement.sid.as_deref();
    is_pinned(statement) || Sid::iter().any(|own| sid == Some(own.into()))
}

/// The one statement with this Sid: a second one could admit what the first does not show.
fn one(policy: &Policy, sid: Sid) -> Result<&Statement, NotOurs> {
    let mut found = policy.statements_named(sid.into());
    match (found.next(), found.next()) {
        (Some(statement), None) => Ok(statement),
        (Some(_), Some(_)) => Err(NotOurs::Unexpected {
            sid: sid.to_string(),
            what: "is there twice".to_owned(),
        }),
        (None, _) => Err(NotOurs::MissingStatement {
            sid: sid.to_string(),
        }),
    }
}

/// A fault of statement 3.
pub(crate) fn unexpected(what: impl Into<String>) -> NotOurs {
    NotOurs::Unexpected {
        sid: DECRYPT.to_string(),
        what: what.into(),
    }
}

/// The statement is for the enclave role and nobody else; who was deleted is nobody.
fn role(statement: &Statement, expected: &str) -> Result<(), NotOurs> {
    let deleted = || {
        let principals = statement.principals.as_ref();
        principals.is_some_and(|Match { negated, listed }| {
            let mut kinds = listed.iter();
            !negated
                && statement.deleted_principal().is_some()
                && kinds.all(|(kind, names)| {
                    let mut names = names.iter();
                    kind == "AWS" && names.all(|name| name == expected || is_deleted(name))
                })
        })
    };
    if statement.names_only(expected) || deleted() {
        return Ok(());
    }
    Err(NotOurs::ForeignRole {
        found: statement.who(),
        expected: expected.to_owned(),
    })
}

/// Statement 3 allows Decrypt on this key and nothing else.
fn shape(statement: &Statement) -> Result<(), NotOurs> {
    let only = |matched: &Option<Match<Vec<String>>>, wanted: &str| {
        matched.as_ref().is_some_and(|matched| {
            let mut listed = matched.listed.iter();
            !matched.negated
                && !matched.listed.is_empty()
                && listed.all(|found| found.eq_ignore_ascii_case(wanted))
        })
    };
    if statement.effect != Effect::Allow {
        return Err(unexpected("has the effect Deny, expected Allow"));
    }
    if !only(&statement.actions, "kms:Decrypt") {
        return Err(unexpected("has other actions than kms:Decrypt"));
    }
    if !only(&statement.resources, "*") {
        return Err(unexpected("has another resource than \"*\""));
    }
    Ok(())
}

/// The values of statement 3's conditions.
pub(crate) fn values(conditions: &[Condition]) -> Result<Admitted, NotOurs> {
    let mut admitted = Admitted::default();
    for (condition, compared) in conditions.iter().zip(compared(conditions)?) {
        let values = condition.values.iter().map(|v| v.to_ascii_lowercase());
        match compared {
            Compared::Image => {
                let nobody = Pcr::NOBODY.to_string();
                admitted.image_sha384 = values.filter(|value| *value != nobody).collect();
            }
            Compared::Register(index) => {
                admitted.registers.insert(index, values.collect());
            }
        }
    }
    Ok(admitted)
}

/// What a condition of statement 3 is about.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Compared {
    /// `ImageSha384`.
    Image,
    /// A register of its number.
    Register(u8),
}

/// What each of statement 3's conditions is about.
fn compared(conditions: &[Condition]) -> Result<Vec<Compared>, NotOurs> {
    let mut all = Vec::with_capacity(conditions.len());
    for Condition { operator, key, .. } in conditions {
        if operator != "StringEqualsIgnoreCase" {
            let what =
                format!("has the operator {operator}, expected StringEqualsIgnoreCase alone");
            return Err(unexpected(what));
        }
        let one = register(key).ok_or_else(|| unexpected(unknown_key(key)))?;
        // Keys are case-insensitive: two spellings of one would be two lists, of which both must hold.
        if all.contains(&one) {
            let what = format!("has the condition key {key} in two spellings");
            return Err(unexpected(what));
        }
        all.push(one);
    }
    if !all.contains(&Compared::Image) {
        return Err(unexpected(format!(
            "has no condition on {IMAGE_SHA384}: enclaves of any image would be admitted"
        )));
    }
    Ok(all)
}

fn unknown_key(key: &str) -> String {
    format!("has the condition key {key}, expected kms:RecipientAttestation:ImageSha384 or PCR<n>")
}

/// The register of a key; its number is as AWS writes it: no sign, no leading zero, 31 at most.
pub(crate) fn register(key: &str) -> Option<Compared> {
    if key.eq_ignore_ascii_case(IMAGE_SHA384) {
        return Some(Compared::Image);
    }
    let key = key.to_ascii_lowercase();
    let number = key.strip_prefix(ATTESTATION)?.strip_prefix("pcr")?;
    let index: u8 = number.parse().ok()?;
    (index <= 31 && number == index.to_string()).then_some(Compared::Register(index))
}
