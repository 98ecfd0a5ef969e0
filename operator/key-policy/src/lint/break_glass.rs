//! Statement 1: the account keeps its key, whatever becomes of the admin role.

use super::lens::Lens;
use super::{Finding, RuleId, Severity};
use crate::Policy;
use crate::evaluate::{Reach, Truth, names, names_action, operation, operations};
use crate::principal_name::account_of_root;
use crate::statement::{Effect, Statement};
use crate::template::{ADMIN_ACTIONS, Template};

const PUT: &str = "kms:PutKeyPolicy";
const CURE: &str = "Put the statement EnableIAMRootPermissionsBreakGlass back";

/// Whether the admin role certainly may put another policy in place of this one.
pub fn administrators_keep(policy: &Policy, template: &Template) -> bool {
    Lens::new(policy, template).administrators_may(PUT) == Truth::Yes
}

/// The account's root may do everything but use the key, or losing the admin role loses the key.
pub fn break_glass(lens: &Lens<'_>) -> Vec<Finding> {
    if let Some(denied) = denied(lens) {
        return vec![denied];
    }
    let found = given(lens).or_else(|| left(lens));
    found.into_iter().chain(depends(lens)).collect()
}

/// A Deny of `PutKeyPolicy` that leaves the root user alone: IAM policies of the account no longer reach the key.
fn left(lens: &Lens<'_>) -> Option<Finding> {
    let mut denies = lens.statements(Effect::Deny);
    let (index, denies) =
        denies.find(|(_, one)| names_action(one, PUT) && !spares_iam(lens, one))?;
    let alone = lens.root_may(PUT) == Truth::Yes && lens.anybody_may(PUT) != Truth::Yes;
    let left = match lens.administrators_may(PUT) {
        Truth::Yes => "other than the admin role, and once that is lost only the root user is left",
        _ => "and leaves it to the root user",
    };
    alone.then(|| {
        Finding::new(
            RuleId::ConditionalBreakGlass,
            Severity::Warning,
            format!(
                "statement {} denies {PUT} to IAM principals of the account {left}: organisations delete the root user's credentials in their accounts",
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

/// Deny statements of `PutKeyPolicy` that hold for the root: one, or several that together always do.
fn denied(lens: &Lens<'_>) -> Option<Finding> {
    let puts: Vec<_> = lens
        .statements(Effect::Deny)
        .filter(|(_, one)| names_action(one, PUT))
        .map(|found| (found, lens.applies_to_root(found.1, PUT)))
        .collect();
    let of = |truth: Truth| {
        puts.iter()
            .filter(move |(_, one)| *one == truth)
            .map(|(found, _)| *found)
    };
    let (index, names, verb) = if let Some((index, denies)) = of(Truth::Yes).next() {
        (index, denies.name(index), "denies")
    } else {
        let open: Vec<_> = of(Truth::Unknown).collect();
        let denies: Vec<_> = open.iter().map(|(_, statement)| *statement).collect();
        let together = lens.together_deny_root(&denies, PUT);
        let together = together.iter().filter_map(|at| open.get(*at));
        let names: Vec<_> = together
            .clone()
            .map(|(index, one)| one.name(*index))
            .collect();
        let (index, _) = *together.clone().next()?;
        let verb = if names.len() > 1 {
            "together deny"
        } else {
            "denies"
        };
        (index, names.join(" and "), verb)
    };
    let then = match lens.administrators_may(PUT) {
        Truth::Yes => "without its admin role nobody could mend this policy",
        _ => "nobody could mend this policy",
    };
    Some(
        Finding::error(
            RuleId::MissingBreakGlass,
            format!("statement {names} {verb} {PUT} to {}: {then}", lens.root.arn),
            "Remove it, or except the account's root from it. Only calls that use the key carry an attestation, so take every other action out of a Deny that compares one",
        )
        .at(index),
    )
}

/// Deny statements of `PutKeyPolicy` of which nobody can say here whether they hold for the root.
fn depends<'a>(lens: &'a Lens<'_>) -> impl Iterator<Item = Finding> + 'a {
    let denies = lens
        .statements(Effect::Deny)
        .filter(|(_, one)| names_action(one, PUT));
    let open = denies.filter(|(_, one)| lens.applies_to_root(one, PUT) == Truth::Unknown);
    open.map(|(index, statement)| {
        Finding::new(
            RuleId::DependsOnContext,
            Severity::Note,
            format!(
                "statement {} keeps the account's root from {PUT} depending on {}",
                statement.name(index),
                lens.open_for_root(statement, PUT).join(", ")
            ),
            "See to it that somebody can fulfil this on the day when the admin role is lost, or except the account's root from it",
        )
        .at(index)
    })
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

/// What the template's administrators may do: with all of it the account keeps its key.
fn manages(action: &str) -> bool {
    ADMIN_ACTIONS.iter().any(|given| names(given, action))
        && operation(action).is_some_and(|(_, reach)| reach != Reach::NoKey)
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
