//! Policies that are sound and that the operator stops at all the same, because they are not of the template's statements.

use super::{Finding, RuleId, Severity};
use crate::Policy;
use crate::adopt::found;
use crate::project::{NotOurs, projects};
use crate::template::Template;

/// What the operator says of a policy in place of writing it. It reads the policy as it is written, not as it is meant.
pub fn stops(policy: &Policy, template: &Template) -> Option<Finding> {
    let fault = projects(policy, template).err()?;
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
    let NotOurs::Unexpected { sid, .. } = &fault else {
        return Some(finding);
    };
    let mut statements = policy.statements().iter();
    let index = statements.position(|one| one.sid.as_ref() == Some(sid));
    Some(match index {
        Some(index) => finding.at(index),
        None => finding,
    })
}
