//! Nobody but those whom the template names has the key's material, or a way to it.

use strum::IntoEnumIterator;

use super::{DATA_OPERATIONS, Finding, RuleId, Severity, WAYS_ROUND};
use crate::Policy;
use crate::evaluate::names_action;
use crate::statement::{Effect, Statement};
use crate::template::{Sid, Template};

/// Allow statements that give more than the template does, or to others.
pub fn ways_to_the_key(policy: &Policy, template: &Template) -> impl Iterator<Item = Finding> {
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(|(index, statement)| {
        let given: Vec<_> = given(statement)
            .filter(|action| !is_templates(statement, action, template))
            .collect();
        (!given.is_empty()).then(|| {
            Finding::error(
                RuleId::ForeignAllow,
                format!(
                    "statement {} gives {} to {}",
                    statement.name(index),
                    given.join(", "),
                    statement.who()
                ),
                "Remove it: only the enclave role may use the key, only its administrators may change it",
            )
        })
    })
}

fn given(statement: &Statement) -> impl Iterator<Item = &'static str> {
    let somebody = statement.principals.is_some() && statement.resources.is_some();
    DATA_OPERATIONS
        .into_iter()
        .chain(WAYS_ROUND)
        .filter(move |action| {
            somebody && statement.effect == Effect::Allow && names_action(statement, action)
        })
}

/// Whether the template gives this action to these principals.
fn is_templates(statement: &Statement, action: &str, template: &Template) -> bool {
    let sid = Sid::iter().find(|sid| statement.sid.as_deref() == Some((*sid).into()));
    let is_way_round = WAYS_ROUND.contains(&action);
    let root = statement.names_only(&template.root_arn());
    let admin = statement.names_only(&template.admin_role_arn);
    let enclave = statement.names_only(&template.enclave_role_arn());
    match sid {
        Some(Sid::EnableIAMRootPermissionsBreakGlass) if root => true,
        // That its data operations are too much is the administrators' rule.
        Some(Sid::AllowKeyAdministrators) if named_individually(statement, template) => true,
        Some(Sid::AllowChamberEnclaveDecryptWithAttestation) => enclave && action == "kms:Decrypt",
        Some(Sid::AllowChamberEnclaveEncryptForWrapping) => enclave && action == "kms:Encrypt",
        // The administrators' rule reports the data operations of the admin role wherever they are.
        _ => admin || (is_way_round && root),
    }
}

/// Roles and users of the key's account: never everybody, an account, another account, or a deleted role's id.
fn named_individually(statement: &Statement, template: &Template) -> bool {
    let prefix = format!("arn:{}:iam::{}:", template.partition, template.key_account);
    let is_individual = |name: &String| {
        let resource = name.strip_prefix(&prefix);
        *name == template.admin_role_arn
            || resource.is_some_and(|r| r.starts_with("role/") || r.starts_with("user/"))
    };
    statement.principals.as_ref().is_some_and(|principals| {
        let mut kinds = principals.listed.iter();
        !principals.negated
            && kinds.all(|(kind, names)| kind == "AWS" && names.iter().all(is_individual))
    })
}

/// Enclave roles by name that are not this cluster's: two clusters of one role open each other's keys.
pub fn shared_role(policy: &Policy, template: &Template) -> impl Iterator<Item = Finding> {
    let own = template.enclave_role_arn();
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(move |(index, statement)| {
        let principals = statement.principals.as_ref()?;
        let mut names = principals.listed.values().flatten();
        let other =
            names.find(|name| name.contains(":role/ChamberEnclaveRole") && **name != own)?;
        (statement.effect == Effect::Allow && !principals.negated).then(|| {
            Finding::new(
                RuleId::SharedRole,
                Severity::Warning,
                format!(
                    "statement {} names {other} where this cluster's role is {own}",
                    statement.name(index)
                ),
                "Give every cluster a role of its own: ChamberEnclaveRole-<cluster id>",
            )
        })
    })
}
