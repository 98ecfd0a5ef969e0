//! Foreign Deny statements that would keep a release from decrypting.

use measurement::Measurement;

use crate::evaluate::{self, Facts, Principal};
use crate::pinned::is_pinned;
use crate::statement::{Condition, Effect, Statement};
use crate::template::Template;
use crate::{ATTESTATION, Policy};

/// The first Deny that certainly stops the enclave role's Decrypt with `target`, or that tells it
/// from `current`: its Sid, or `#index`.
///
/// Conditions on other keys than `kms:RecipientAttestation:*` (a VPC endpoint, say) are unknown
/// here, and so are registers that a measurement does not name: alone they never count, because
/// they hold for both releases alike. The template's own Deny is no exception: with an attestation
/// it does not hold, unless somebody changed it.
pub fn foreign_deny(
    policy: &Policy,
    template: &Template,
    target: &Measurement,
    current: Option<&Measurement>,
) -> Option<String> {
    let stops = |statement: &Statement| {
        let of_target = verdict(policy, statement, target);
        let of_current = current.map(|current| verdict(policy, statement, current));
        match of_target {
            Verdict::Holds => true,
            Verdict::Unknown => of_current == Some(Verdict::Fails),
            Verdict::Fails => false,
        }
    };
    policy
        .statements()
        .iter()
        .enumerate()
        .find(|(_, statement)| {
            statement.effect == Effect::Deny
                // They follow the live measurements, in the write that admits the target.
                && !is_pinned(statement)
                && concerns(statement, template)
                && stops(statement)
        })
        .map(|(index, statement)| statement.name(index))
}

/// Whether a statement's conditions hold for an enclave with some measurement.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Holds,
    /// What is known holds; the rest nobody can say.
    Unknown,
    Fails,
}

/// It is certainly about the enclave role and `kms:Decrypt`.
fn concerns(statement: &Statement, template: &Template) -> bool {
    let principal = Principal::session(
        &template.enclave_role_arn(),
        &template.role_account,
        "chamber",
    );
    evaluate::certainly_names_principal(statement, &principal)
        && evaluate::names_action(statement, "kms:Decrypt")
        && statement.is_for_this_key()
}

fn verdict(policy: &Policy, statement: &Statement, measurement: &Measurement) -> Verdict {
    let context = evaluate::attested(measurement);
    let facts = Facts::of(policy, &context);
    let mut verdict = Verdict::Holds;
    for condition in &statement.conditions {
        if !known(condition, measurement) {
            verdict = Verdict::Unknown;
        } else if !evaluate::condition_holds(condition, facts, Effect::Deny) {
            return Verdict::Fails;
        }
    }
    verdict
}

/// Whether an enclave with this measurement has a value for the key that is known here, or surely none.
fn known(condition: &Condition, measurement: &Measurement) -> bool {
    let key = condition.key.to_ascii_lowercase();
    let Some(name) = key.strip_prefix(ATTESTATION) else {
        return false;
    };
    match name.strip_prefix("pcr") {
        Some(index) => index
            .parse()
            .is_ok_and(|index| measurement.register(index).is_some()),
        // ImageSha384 is always there; registers of a TPM never are.
        None => true,
    }
}
