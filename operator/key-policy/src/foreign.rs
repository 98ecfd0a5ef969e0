//! Foreign Deny statements that would keep a release from decrypting.

use measurement::Measurement;
use strum::IntoEnumIterator;

use crate::evaluate::{self, Principal};
use crate::statement::{Condition, Effect, Statement};
use crate::template::{Sid, Template};
use crate::{ATTESTATION, Policy};

/// The first foreign Deny that certainly stops the enclave role's Decrypt with `target`, or that
/// tells it from `current`: its Sid, or `#index`.
///
/// Conditions on other keys than `kms:RecipientAttestation:*` (a VPC endpoint, say) are unknown
/// here: alone they never count, because they hold for both releases alike.
pub fn foreign_deny(
    policy: &Policy,
    template: &Template,
    target: &Measurement,
    current: Option<&Measurement>,
) -> Option<String> {
    let denies = policy
        .statements()
        .iter()
        .enumerate()
        .filter(|(_, statement)| {
            statement.effect == Effect::Deny && !is_ours(statement) && concerns(statement, template)
        });
    for (index, statement) in denies {
        let (attested, unknown): (Vec<_>, Vec<_>) = statement
            .conditions
            .iter()
            .partition(|condition| condition.key.to_lowercase().starts_with(ATTESTATION));
        let stops = |measurement: &Measurement| holds(&attested, measurement);
        let certain = unknown.is_empty() && stops(target);
        let tells_apart = current.is_some_and(|current| stops(target) && !stops(current));
        if certain || tells_apart {
            return Some(statement.sid.clone().unwrap_or_else(|| format!("#{index}")));
        }
    }
    None
}

fn is_ours(statement: &Statement) -> bool {
    Sid::iter().any(|sid| statement.sid.as_deref() == Some(sid.into()))
}

/// It is about the enclave role and `kms:Decrypt`.
fn concerns(statement: &Statement, template: &Template) -> bool {
    let principal = Principal::session(
        &template.enclave_role_arn(),
        &template.role_account,
        "chamber",
    );
    evaluate::names_principal(statement, &principal)
        && evaluate::names_action(statement, "kms:Decrypt")
}

fn holds(conditions: &[&Condition], measurement: &Measurement) -> bool {
    let context = evaluate::attested(measurement);
    conditions
        .iter()
        .all(|condition| evaluate::condition_holds(condition, &context, Effect::Deny))
}
