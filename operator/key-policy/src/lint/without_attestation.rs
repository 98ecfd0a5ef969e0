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

/// A Deny that spares nobody and needs nothing but the absence of an attestation.
fn is_deny_for_all(statement: &Statement) -> bool {
    let everybody = statement.principals.as_ref().is_some_and(|principals| {
        let aws = principals.listed.get("AWS");
        !principals.negated && aws.is_some_and(|names| names.iter().any(|name| name == "*"))
    });
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
    statement.effect == Effect::Deny && everybody && absent && statement.is_for_this_key()
}

/// Encrypt carries no attestation, so a Deny where there is none stops every wrapping of a share.
pub fn encrypt(policy: &Policy) -> Option<Finding> {
    let mut statements = policy.statements().iter().enumerate();
    let (index, statement) = statements.find(|(_, statement)| {
        is_deny_for_all(statement) && names_action(statement, "kms:Encrypt")
    })?;
    Some(Finding::new(
        RuleId::EncryptDenied,
        Severity::Warning,
        format!(
            "statement {} denies kms:Encrypt to everybody: it cannot carry an attestation",
            statement.name(index)
        ),
        "Take kms:Encrypt out of the statement, or no share can be wrapped",
    ))
}
