//! Statements 1 and 2: who keeps the key, and what its keepers may not do.

use super::lens::Lens;
use super::{DATA_OPERATIONS, Finding, RuleId, Severity, without_attestation};
use crate::Policy;
use crate::evaluate::{Reach, Truth, names_action, operation, operations};
use crate::principal_name::account_of_root;
use crate::project::is_ours;
use crate::statement::{Effect, Statement};
use crate::template::{Sid, Template};

const PUT: &str = "kms:PutKeyPolicy";
const CURE: &str = "Put the statement EnableIAMRootPermissionsBreakGlass back";

/// The account's root may do everything but use the key, or losing the admin role loses the key.
pub fn break_glass(lens: &Lens<'_>) -> Option<Finding> {
    denied(lens).or_else(|| given(lens)).or_else(|| left(lens))
}

/// A Deny of `PutKeyPolicy` that leaves the root user alone: IAM policies of the account no longer reach the key.
fn left(lens: &Lens<'_>) -> Option<Finding> {
    let mut denies = lens.statements(Effect::Deny);
    let (index, denies) =
        denies.find(|(_, one)| names_action(one, PUT) && !spares_iam(lens, one))?;
    let alone = lens.root_may(PUT) == Truth::Yes && lens.anybody_may(PUT) != Truth::Yes;
    alone.then(|| {
        Finding::new(
            RuleId::ConditionalBreakGlass,
            Severity::Warning,
            format!(
                "statement {} denies {PUT} to IAM principals of the account and leaves it to the root user: organisations delete the root user's credentials in their accounts",
                denies.name(index)
            ),
            "Except the account's administrators by what they have in common, or take PutKeyPolicy out of the Deny",
        )
        .at(index)
    })
}

/// Whether a Deny surely does not hold for a role or user of the account.
fn spares_iam(lens: &Lens<'_>, statement: &Statement) -> bool {
    lens.applies_to_anybody(statement, PUT) == Truth::No
}

/// A Deny of `PutKeyPolicy` that holds for the root.
fn denied(lens: &Lens<'_>) -> Option<Finding> {
    let puts = |statement: &Statement| names_action(statement, PUT);
    let holds = |statement: &Statement| lens.applies_to_root(statement, PUT) == Truth::Yes;
    let mut denies = lens.statements(Effect::Deny);
    let (index, denies) = denies.find(|(_, one)| puts(one) && holds(one))?;
    Some(
        Finding::error(
            RuleId::MissingBreakGlass,
            format!(
                "statement {} denies {PUT} to {}: nobody could mend this policy",
                denies.name(index),
                lens.root.arn
            ),
            "Remove it, or except the account's root from it. Only calls that use the key carry an attestation, so take every other action out of a Deny that compares one",
        )
        .at(index),
    )
}

fn given(lens: &Lens<'_>) -> Option<Finding> {
    if lens
        .policy
        .statements()
        .iter()
        .any(|one| gives_everything(one, &lens.template.key_account))
    {
        return None;
    }
    let managing: Vec<_> = ["PutKeyPolicy"]
        .into_iter()
        .chain(operations())
        .map(|name| format!("kms:{name}"))
        .filter(|action| manages(action))
        .collect();
    let refused = managing
        .iter()
        .find(|action| lens.root_may(action) == Truth::No);
    if let Some(action) = refused {
        return Some(Finding::error(
            RuleId::MissingBreakGlass,
            format!(
                "{} may not do {action}: without its admin role the key would be lost",
                lens.root.arn
            ),
            CURE,
        ));
    }
    let conditional = managing.iter().find(|action| {
        lens.root_may(action) != Truth::Yes || lens.anybody_may(action) != Truth::Yes
    })?;
    Some(Finding::new(
        RuleId::ConditionalBreakGlass,
        Severity::Warning,
        format!(
            "{} may do {conditional} under a condition only, or as the root user alone: organisations delete the root user's credentials in their accounts",
            lens.root.arn
        ),
        "Give the account's root kms:* without a condition",
    ))
}

/// What keeps a key, rather than uses it.
fn manages(action: &str) -> bool {
    let governed = operation(action).is_some_and(|(_, reach)| reach != Reach::NoKey);
    let signs = [
        "Sign",
        "Verify",
        "GenerateMac",
        "VerifyMac",
        "SynchronizeMultiRegionKey",
    ];
    governed
        && !DATA_OPERATIONS.contains(&action)
        && !signs.iter().any(|name| action.ends_with(name))
}

fn gives_everything(statement: &Statement, account: &str) -> bool {
    let everything = statement.actions.as_ref().is_some_and(|actions| {
        let mut listed = actions.listed.iter();
        !actions.negated && listed.any(|a| a.eq_ignore_ascii_case("kms:*") || a == "*")
    });
    let names_root = statement.principals.as_ref().is_some_and(|principals| {
        let mut names = principals.listed.get("AWS").into_iter().flatten();
        !principals.negated && names.any(|name| account_of_root(name) == Some(account))
    });
    let here = statement.resources.as_ref().is_some_and(|resources| {
        !resources.negated && resources.listed.iter().any(|one| one == "*")
    });
    statement.effect == Effect::Allow
        && names_root
        && everything
        && here
        && statement.conditions.is_empty()
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
