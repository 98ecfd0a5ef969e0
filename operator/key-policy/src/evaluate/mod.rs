//! AWS's rules for key policies: who may do what, and which statement decides.
//!
//! Unlike other services, KMS asks the key policy first: without it IAM allows have no effect, and
//! naming the account's root delegates to its IAM policies. An explicit Deny anywhere wins.

mod compare;
mod condition;
mod pattern;
mod principal;

use std::collections::BTreeMap;

use measurement::Measurement;

use crate::statement::{Effect, Match, Statement};
use crate::{ATTESTATION, IMAGE_SHA384, Policy};

pub(crate) use condition::{Facts, holds as condition_holds};
use principal::Named;
pub use principal::Principal;

/// What is asked: may this principal do this, to this resource, in this context?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Action, for example `kms:Decrypt`.
    pub action: &'a str,
    /// ARN of the resource.
    pub resource: &'a str,
    /// Condition keys in lower case with their values; an absent key is absent.
    pub context: &'a BTreeMap<String, Vec<String>>,
}

/// The answer, with the Sid (or `#index`) of the statement that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Allowed {
        /// By this statement.
        by: String,
    },
    /// A Deny matched.
    ExplicitDeny {
        /// In this statement.
        by: String,
    },
    /// Nothing allowed it.
    ImplicitDeny,
}

/// The condition keys that KMS derives from an attestation document of this measurement.
pub fn attested(measurement: &Measurement) -> BTreeMap<String, Vec<String>> {
    let registers = measurement
        .all()
        .map(|(index, pcr)| (format!("{ATTESTATION}pcr{index}"), pcr));
    registers
        .chain([(IMAGE_SHA384.to_ascii_lowercase(), &measurement.image_sha384)])
        .map(|(key, pcr)| (key, vec![pcr.to_string()]))
        .collect()
}

/// A key policy together with the identity policies of the one who asks.
pub fn key_policy(
    policy: &Policy,
    key_account: &str,
    identity: &[Policy],
    request: &Request<'_>,
) -> Decision {
    if let Some(by) = denied(policy, request) {
        return Decision::ExplicitDeny { by };
    }
    let by_identity = identity_policy(identity, request);
    if let Decision::ExplicitDeny { .. } = by_identity {
        return by_identity;
    }
    // IAM policies keep nothing from an account's root.
    let identity_allows =
        matches!(by_identity, Decision::Allowed { .. }) || request.principal.is_root();
    let same_account = request.principal.account == key_account;
    let mut delegated = None;
    for (index, statement) in applying(policy, request, Effect::Allow, Scope::Named) {
        let by = statement.name(index);
        match named(statement, request.principal) {
            // Another account must allow it on its side, too.
            Some(Named::Directly) if same_account || identity_allows => {
                return Decision::Allowed { by };
            }
            Some(Named::ByAccount) if identity_allows => {
                delegated.get_or_insert(by);
            }
            _ => {}
        }
    }
    delegated.map_or(Decision::ImplicitDeny, |by| Decision::Allowed { by })
}

/// One resource policy alone (a role's trust policy, say): naming the account is enough, and a
/// statement without Resource is about what the policy is attached to.
pub fn resource_policy(policy: &Policy, request: &Request<'_>) -> Decision {
    let denied = applying(policy, request, Effect::Deny, Scope::Attached)
        .find(|(_, statement)| named(statement, request.principal).is_some());
    if let Some((index, statement)) = denied {
        let by = statement.name(index);
        return Decision::ExplicitDeny { by };
    }
    let allowed = applying(policy, request, Effect::Allow, Scope::Attached)
        .find(|(_, statement)| named(statement, request.principal).is_some());
    allowed.map_or(Decision::ImplicitDeny, |(index, statement)| {
        Decision::Allowed {
            by: statement.name(index),
        }
    })
}

/// Identity policies (or a session policy): their statements name no principal.
pub fn identity_policy(policies: &[Policy], request: &Request<'_>) -> Decision {
    let mut allowed = None;
    for policy in policies {
        if let Some((index, statement)) =
            applying(policy, request, Effect::Deny, Scope::Named).next()
        {
            return Decision::ExplicitDeny {
                by: statement.name(index),
            };
        }
        if let Some((index, statement)) =
            applying(policy, request, Effect::Allow, Scope::Named).next()
        {
            allowed.get_or_insert_with(|| statement.name(index));
        }
    }
    allowed.map_or(Decision::ImplicitDeny, |by| Decision::Allowed { by })
}

fn denied(policy: &Policy, request: &Request<'_>) -> Option<String> {
    applying(policy, request, Effect::Deny, Scope::Named)
        .find(|(_, statement)| named(statement, request.principal).is_some())
        .map(|(index, statement)| statement.name(index))
}

/// What a statement without Resource is about.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// Nothing: key policies and identity policies have to name resources.
    Named,
    /// What the policy is attached to.
    Attached,
}

/// The statements of this effect whose action, resource and conditions match; principals are left to the caller.
fn applying<'p>(
    policy: &'p Policy,
    request: &'p Request<'_>,
    effect: Effect,
    scope: Scope,
) -> impl Iterator<Item = (usize, &'p Statement)> {
    let facts = Facts::of(policy, request.context);
    let applies = move |statement: &Statement| {
        statement.effect == effect
            && names_action(statement, request.action)
            && (names_resource(statement, request.resource, facts)
                || (scope == Scope::Attached && statement.resources.is_none()))
            && statement
                .conditions
                .iter()
                .all(|condition| condition_holds(condition, facts, effect))
    };
    policy
        .statements()
        .iter()
        .enumerate()
        .filter(move |(_, statement)| applies(statement))
}

/// How a statement names a principal.
fn named(statement: &Statement, principal: &Principal) -> Option<Named> {
    let Match { negated, listed } = statement.principals.as_ref()?;
    if !negated {
        return principal::find(listed, principal);
    }
    let spared = match statement.effect {
        Effect::Allow => principal::find(listed, principal).is_some(),
        Effect::Deny => principal::is_spared(listed, principal),
    };
    (!spared).then_some(Named::Directly)
}

/// Whether a statement is about this principal beyond doubt.
pub(crate) fn certainly_names_principal(statement: &Statement, principal: &Principal) -> bool {
    statement
        .principals
        .as_ref()
        .is_some_and(|Match { negated, listed }| {
            principal::find(listed, principal).is_some() != *negated
        })
}

/// Whether a statement is about this action; names are case-insensitive.
pub(crate) fn names_action(statement: &Statement, action: &str) -> bool {
    named_by(statement.actions.as_ref(), |one| {
        pattern::matches_ignoring_case(one, action)
    })
}

fn names_resource(statement: &Statement, resource: &str, facts: Facts<'_>) -> bool {
    named_by(statement.resources.as_ref(), |one| {
        facts
            .pattern(one)
            .is_some_and(|pattern| pattern.matches(resource))
    })
}

/// A statement without the member has no effect.
fn named_by(listed: Option<&Match<Vec<String>>>, names: impl Fn(&str) -> bool) -> bool {
    listed.is_some_and(|Match { negated, listed }| listed.iter().any(|one| names(one)) != *negated)
}
