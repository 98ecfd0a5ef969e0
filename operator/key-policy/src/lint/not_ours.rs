//! Policies that the operator stops at although nothing is wrong with what it would write, because they are not of the
//! template's statements.

use super::{Finding, RuleId, Severity, foreign_allow, statement_of};
use crate::Policy;
use crate::adopt::found;
use crate::project::{DECRYPT, NotOurs, projects};
use crate::template::{Sid, Template};

/// What the operator says of a policy in place of writing it. It reads the policy as it is written, not as it is meant.
///
/// Where one of the errors is about the same it says what to do, and this would say it again.
pub fn stops(policy: &Policy, template: &Template, findings: &[Finding]) -> Option<Finding> {
    let fault = projects(policy, template).err()?;
    let place = statement(&fault, policy);
    let mut errors = findings
        .iter()
        .filter(|one| one.severity == Severity::Error);
    let is_said = |error: &Finding| {
        let there = place.is_some() && statement_of(error, policy) == place;
        there || is_of_the_sids(error, &fault)
    };
    if errors.any(is_said) {
        return None;
    }
    // What is added to the template's comparisons nobody can keep: the operator writes all of them anew.
    let cure = if found(policy, template).is_ok() {
        "On a Managed key spec.keys.policy.adopt: true has the operator put the template's statements there; on an Observed one let its holder do it, as kubectl chamber plan prints them"
    } else {
        "Write statement 3 as the template has it, with StringEqualsIgnoreCase on kms:RecipientAttestation keys alone: take any other condition out. spec.keys.policy.adopt does not mend this"
    };
    let finding = Finding::new(
        RuleId::PolicyNotOurs,
        Severity::Warning,
        format!("the operator stops at this policy with PolicyNotOurs: {fault}"),
        cure,
    );
    Some(match place {
        Some(index) => finding.at(index),
        None => finding,
    })
}

/// The statement that is not as the template has it.
fn statement(fault: &NotOurs, policy: &Policy) -> Option<usize> {
    let mut statements = policy.statements().iter();
    match fault {
        NotOurs::MissingStatement { .. } => None,
        NotOurs::Unexpected { sid, .. } | NotOurs::DeletedPrincipal { sid, .. } => {
            statements.position(|one| one.sid.as_ref() == Some(sid))
        }
        NotOurs::ForeignRole { found, .. } => statements.position(|one| {
            let enclaves = [Sid::AllowChamberEnclaveEncryptForWrapping, DECRYPT];
            let is_enclaves = |sid: Sid| one.sid.as_deref() == Some(sid.into());
            enclaves.into_iter().any(is_enclaves) && one.who() == *found
        }),
    }
}

/// Whether an error is about the Sids, or says to put the statement back that is missing.
fn is_of_the_sids(error: &Finding, fault: &NotOurs) -> bool {
    let missing = |sids: &[Sid]| match fault {
        NotOurs::MissingStatement { sid } => sids.iter().any(|one| one.to_string() == *sid),
        _ => false,
    };
    match error.rule {
        RuleId::RepeatedSid => true,
        RuleId::MissingBreakGlass => missing(&[Sid::EnableIAMRootPermissionsBreakGlass]),
        RuleId::MissingDeny => missing(&[Sid::DenyDataOpsWithoutAttestation]),
        RuleId::ForeignAllow if error.cure == foreign_allow::NAME_IT => {
            missing(&[Sid::AllowChamberEnclaveEncryptForWrapping, DECRYPT])
        }
        _ => false,
    }
}
