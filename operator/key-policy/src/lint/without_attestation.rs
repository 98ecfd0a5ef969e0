//! Statement 5: nobody uses the key's material without an attestation.

use super::lens::Lens;
use super::{Finding, RuleId};
use crate::Policy;
use crate::access::another_image;
use crate::evaluate::{Context, Truth, applies_whoever_asks, is_attestation};
use crate::statement::{Condition, Effect, Statement};
use crate::template::DENIED_ACTIONS;

/// A key of which nothing is known.
const ANY_KEY: &str = "arn:*:kms:*:*:key/*";

/// Everybody is denied each of the operations where no attestation is there, whatever else is true of the request.
pub fn deny(lens: &Lens<'_>) -> Option<Finding> {
    let denied = |action: &str| {
        let mut denies = lens.statements(Effect::Deny);
        denies.any(|(_, one)| lens.denies_everybody(one, action))
            || lens.together_deny_everybody(action)
    };
    let open: Vec<_> = DENIED_ACTIONS
        .into_iter()
        .filter(|action| !denied(action))
        .collect();
    (!open.is_empty()).then(|| {
        Finding::error(
            RuleId::MissingDeny,
            format!(
                "{} without an attestation {} not denied to everybody",
                open.join(", "),
                if open.len() == 1 { "is" } else { "are" }
            ),
            "Put the statement DenyDataOpsWithoutAttestation back, with all its actions and the Resource \"*\"",
        )
    })
}

/// Whether retiring a measurement binds everybody: each of the operations is denied with another image than the
/// listed ones (the Pinned profile).
pub fn binds(policy: &Policy) -> bool {
    let negates = |condition: &Condition| {
        condition.operator.contains("Not") && is_attestation(&condition.key)
    };
    let pins = |statement: &&Statement| {
        statement.effect == Effect::Deny
            && statement.is_for_everybody()
            && statement.conditions.iter().any(negates)
    };
    let pins: Vec<_> = policy.statements().iter().filter(pins).collect();
    if pins.is_empty() {
        return false;
    }
    let context = Context::open().attesting(&another_image());
    let holds = |statement: &Statement, action| {
        applies_whoever_asks(policy, statement, action, ANY_KEY, &context).surely() == Truth::Yes
    };
    DENIED_ACTIONS
        .into_iter()
        .all(|action| pins.iter().any(|pin| holds(pin, action)))
}
