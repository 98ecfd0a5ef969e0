//! Statement 2, and what else is given to those who keep the key.

use super::lens::Lens;
use super::{DATA_OPERATIONS, Finding, RuleId, Severity, without_attestation};
use crate::Policy;
use crate::evaluate::{Truth, names_action};
use crate::principal_name::account_of_root;
use crate::project::is_ours;
use crate::statement::{Effect, Statement};
use crate::template::{Sid, Template};

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
pub fn known_holes(lens: &Lens<'_>) -> Vec<Finding> {
    let mut notes: Vec<_> = root_delegates(lens).into_iter().collect();
    let admin = lens.policy.statement(Sid::AllowKeyAdministrators.into());
    let grants = admin.is_some_and(|admin| names_action(admin, "kms:CreateGrant"));
    if grants && !without_attestation::binds(lens.policy) {
        notes.push(Finding::new(
            RuleId::AdminCreatesGrants,
            Severity::Note,
            "the administrators may create grants, which go round the Allow of statement 3 (not round the Deny)",
            "The Pinned profile closes this: its Deny statements hold for grants, too. Or name the Create actions one by one",
        ));
    }
    notes
}

/// A statement names the account's root, so that IAM policies decide, and nothing denies what they allow.
fn root_delegates(lens: &Lens<'_>) -> Option<Finding> {
    let account = lens.template.key_account.as_str();
    let delegates = |statement: &Statement| {
        let principals = statement.principals.as_ref();
        principals.is_some_and(|principals| {
            let mut names = principals.listed.get("AWS").into_iter().flatten();
            !principals.negated && names.any(|name| account_of_root(name) == Some(account))
        })
    };
    let mut allows = lens.statements(Effect::Allow);
    let (index, _) = allows.find(|(_, one)| delegates(one) && names_action(one, "kms:Decrypt"))?;
    if lens.anybody_attested_may("kms:Decrypt") == Truth::No {
        return None;
    }
    let mut denies = lens.statements(Effect::Deny);
    let needs_attestation = denies.any(|(_, one)| lens.denies_everybody(one, "kms:Decrypt"))
        || lens.anybody_may("kms:Decrypt") == Truth::No;
    let how = if needs_attestation {
        "from any attested enclave"
    } else {
        "without an attestation"
    };
    Some(
        Finding::new(
            RuleId::RootDelegates,
            Severity::Note,
            format!("the root statement lets IAM policies of the account decide: a principal that they allow may decrypt {how}"),
            "The Pinned profile closes this; without it, keep IAM policies of the account from allowing kms:Decrypt on this key",
        )
        .at(index),
    )
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
