//! Statement 5: nobody uses the key's material without an attestation.

use super::{Finding, RuleId, Severity};
use crate::evaluate::names_action;
use crate::statement::{Effect, Statement};
use crate::template::DENIED_ACTIONS;
use crate::{IMAGE_SHA384, Policy};

/// Everybody is denied each of the operations where no attestation is there.
pub fn deny(policy: &Policy) -> Option<Finding> {
    let denies: Vec<_> = policy
        .statements()
        .iter()
        .filter(|statement| is_deny_for_all(statement))
        .collect();
    let open: Vec<_> = DENIED_ACTIONS
        .into_iter()
        .filter(|action| !denies.iter().any(|deny| names_action(deny, action)))
        .collect();
    (!open.is_empty()).then(|| {
        Finding::error(
            RuleId::MissingDeny,
            format!(
                "{} without an attestation {} not denied to everybody",
                open.join(", "),
                if open.len() == 1 { "is" } else { "are" }
            ),
            "Put the statement DenyDataOpsWithoutAttestation back, with all its actions",
        )
    })
}

/// A Deny on this key that spares nobody.
fn is_deny_for_everybody(statement: &Statement) -> bool {
    let everybody = statement.principals.as_ref().is_some_and(|principals| {
        let aws = principals.listed.get("AWS");
        !principals.negated && aws.is_some_and(|names| names.iter().any(|name| name == "*"))
    });
    statement.effect == Effect::Deny && everybody && statement.is_for_this_key()
}

/// A Deny that spares nobody and needs nothing but the absence of an attestation.
fn is_deny_for_all(statement: &Statement) -> bool {
    let absent = match statement.conditions.as_slice() {
        [] => true,
        [only] => {
            let mut values = only.values.iter();
            only.operator == "Null"
                && only.key.eq_ignore_ascii_case(IMAGE_SHA384)
                && values.any(|value| value.eq_ignore_ascii_case("true"))
        }
        _ => false,
    };
    absent && is_deny_for_everybody(statement)
}

/// Encrypt carries no attestation, so a Deny where there is none stops every wrapping of a share.
pub fn encrypt(policy: &Policy) -> Option<Finding> {
    let mut statements = policy.statements().iter().enumerate();
    let (index, statement) = statements.find(|(_, statement)| {
        is_deny_for_all(statement) && names_action(statement, "kms:Encrypt")
    })?;
    Some(
        Finding::new(
            RuleId::EncryptDenied,
            Severity::Warning,
            format!(
                "statement {} denies kms:Encrypt to everybody: it cannot carry an attestation",
                statement.name(index)
            ),
            "Take kms:Encrypt out of the statement, or no share can be wrapped",
        )
        .at(index),
    )
}

/// Whether retiring a measurement binds everybody: each of the operations is denied with another image than the
/// listed ones (the Pinned profile).
pub fn binds(policy: &Policy) -> bool {
    let pins = |statement: &&Statement| match statement.conditions.as_slice() {
        [only] => {
            only.operator == "StringNotEqualsIgnoreCase"
                && only.key.eq_ignore_ascii_case(IMAGE_SHA384)
                && is_deny_for_everybody(statement)
        }
        _ => false,
    };
    DENIED_ACTIONS.into_iter().all(|action| {
        let mut denies = policy.statements().iter().filter(pins);
        denies.any(|deny| names_action(deny, action))
    })
}
