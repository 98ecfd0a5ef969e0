//! Statements 1 and 2: who keeps the key, and what its keepers may not do.

use super::{DATA_OPERATIONS, Finding, RuleId, Severity, without_attestation};
use crate::Policy;
use crate::evaluate::{Principal, certainly_names_principal, names_action};
use crate::principal_name::account_of_root;
use crate::project::is_ours;
use crate::statement::{Effect, Statement};
use crate::template::{Sid, Template};

/// The account's root may do everything, or losing the admin role loses the key.
pub fn break_glass(policy: &Policy, template: &Template) -> Option<Finding> {
    let root = Principal {
        arn: template.root_arn(),
        account: template.key_account.clone(),
    };
    let cure = "Put the statement EnableIAMRootPermissionsBreakGlass back";
    if !policy
        .statements()
        .iter()
        .any(|s| gives_everything(s, &root))
    {
        return Some(Finding::error(
            RuleId::MissingBreakGlass,
            format!(
                "{} may not do kms:*: without its admin role the key would be lost",
                root.arn
            ),
            cure,
        ));
    }
    let (index, denies) = policy.statements().iter().enumerate().find(|(_, s)| {
        s.effect == Effect::Deny
            && s.conditions.is_empty()
            && s.is_for_this_key()
            && certainly_names_principal(s, &root)
            && names_action(s, "kms:PutKeyPolicy")
    })?;
    Some(
        Finding::error(
            RuleId::MissingBreakGlass,
            format!(
                "statement {} denies kms:PutKeyPolicy to {}: nobody could mend this policy",
                denies.name(index),
                root.arn
            ),
            "Remove it, or except the account's root from it",
        )
        .at(index),
    )
}

fn gives_everything(statement: &Statement, root: &Principal) -> bool {
    let everything = statement.actions.as_ref().is_some_and(|actions| {
        let mut listed = actions.listed.iter();
        !actions.negated && listed.any(|a| a.eq_ignore_ascii_case("kms:*") || a == "*")
    });
    let names_root = statement.principals.as_ref().is_some_and(|principals| {
        let mut names = principals.listed.get("AWS").into_iter().flatten();
        !principals.negated && names.any(|name| account_of_root(name) == Some(&root.account))
    });
    statement.effect == Effect::Allow
        && names_root
        && everything
        && statement.conditions.is_empty()
        && statement.is_for_this_key()
}

/// The admin role, in whatever statement, holds no data operation.
pub fn data_operations(policy: &Policy, template: &Template) -> impl Iterator<Item = Finding> {
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(|(index, statement)| {
        let is_admin =
            is_administrators(statement) || statement.names_only(&template.admin_role_arn);
        if statement.effect != Effect::Allow || !is_admin {
            return None;
        }
        let held: Vec<_> = DATA_OPERATIONS
            .into_iter()
            .filter(|action| names_action(statement, action))
            .collect();
        (!held.is_empty()).then(|| {
            Finding::error(
                RuleId::AdminUsesKey,
                format!(
                    "statement {} gives the key administrators {}",
                    statement.name(index),
                    held.join(", ")
                ),
                "Remove them, also where a wildcard includes them",
            )
            .at(index)
        })
    })
}

/// A holder may have more than one admin role, but should know of each.
pub fn others(policy: &Policy, template: &Template) -> impl Iterator<Item = Finding> {
    let administrators = policy.statements_named(Sid::AllowKeyAdministrators.into());
    administrators
        .filter(|statement| !statement.names_only(&template.admin_role_arn))
        .map(|statement| {
            Finding::new(
                RuleId::OtherAdministrator,
                Severity::Warning,
                format!(
                    "statement {} names {} where the admin role is {}",
                    Sid::AllowKeyAdministrators,
                    statement.who(),
                    template.admin_role_arn
                ),
                "Name the admin role alone: whoever may put the policy may admit an image",
            )
        })
}

/// Known holes of the template itself.
pub fn known_holes(policy: &Policy) -> Vec<Finding> {
    let note = |rule, message: &str, cure| Finding::new(rule, Severity::Note, message, cure);
    let mut notes = Vec::new();
    if without_attestation::binds(policy) {
        return notes;
    }
    let root = policy.statement(Sid::EnableIAMRootPermissionsBreakGlass.into());
    if root.is_some() {
        notes.push(note(
            RuleId::RootDelegates,
            "the root statement lets IAM policies of the account decide: a principal that they allow may decrypt from any attested enclave",
            "The Pinned profile closes this; without it, keep IAM policies of the account from allowing kms:Decrypt on this key",
        ));
    }
    let admin = policy.statement(Sid::AllowKeyAdministrators.into());
    if admin.is_some_and(|admin| names_action(admin, "kms:CreateGrant")) {
        notes.push(note(
            RuleId::AdminCreatesGrants,
            "the administrators may create grants, which go round the Allow of statement 3 (not round the Deny)",
            "The Pinned profile closes this: its Deny statements hold for grants, too. Or name the Create actions one by one",
        ));
    }
    notes
}

fn is_administrators(statement: &Statement) -> bool {
    statement.sid.as_deref() == Some(Sid::AllowKeyAdministrators.into())
}

/// Ids that KMS puts in the place of a role or user that was deleted: the next write of the policy fails.
pub fn unique_ids(policy: &Policy) -> impl Iterator<Item = Finding> {
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(|(index, statement)| {
        let deleted = statement.deleted_principal()?;
        let cure = if is_ours(statement) {
            "Name the role by its ARN: KMS refuses a policy with such a principal. The operator does it with its next write"
        } else {
            "Name the role by its ARN, or remove it: KMS refuses a policy with such a principal"
        };
        let message = format!(
            "statement {} names {deleted}, the id of a deleted role or user",
            statement.name(index)
        );
        let rule = RuleId::UniqueIdPrincipal;
        Some(Finding::new(rule, Severity::Warning, message, cure).at(index))
    })
}
