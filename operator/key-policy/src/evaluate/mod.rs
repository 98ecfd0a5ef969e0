//! AWS's rules for key policies: who may do what, and which statement decides.
//!
//! Unlike other services, KMS asks the key policy first: without it IAM allows have no effect, and
//! naming the account's root delegates to its IAM policies. An explicit Deny anywhere wins.

mod condition;
mod principal;

use std::collections::BTreeMap;

use measurement::Measurement;

use crate::statement::{Effect, Match, Statement};
use crate::{ATTESTATION, IMAGE_SHA384, Policy};

pub use condition::holds as condition_holds;
use principal::Named;
pub use principal::Principal;
pub(crate) use principal::bare_account;

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
        .chain([(IMAGE_SHA384.to_lowercase(), &measurement.image_sha384)])
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
    let identity_allows = matches!(by_identity, Decision::Allowed { .. });
    let same_account = request.principal.account == key_account;
    let mut delegated = None;
    for (index, statement) in applying(policy, request, Effect::Allow) {
        let by = name(index, statement);
        match named(statement, request.principal) {
            // Another account must allow it on its side, too.
            Some(Named::Directly) if same_account || identity_allows => {
                return Decision::Allowed { by };
            }
            Some(Named::ByAccount) if identity_allows || request.principal.is_root() => {
                delegated.get_or_insert(by);
            }
            _ => {}
        }
    }
    delegated.map_or(Decision::ImplicitDeny, |by| Decision::Allowed { by })
}

/// One resource policy alone (a role's trust policy, say): naming the account is enough.
pub fn resource_policy(policy: &Policy, request: &Request<'_>) -> Decision {
    if let Some(by) = denied(policy, request) {
        return Decision::ExplicitDeny { by };
    }
    let allowed = applying(policy, request, Effect::Allow)
        .find(|(_, statement)| named(statement, request.principal).is_some());
    allowed.map_or(Decision::ImplicitDeny, |(index, statement)| {
        Decision::Allowed {
            by: name(index, statement),
        }
    })
}

/// Identity policies (or a session policy): their statements name no principal.
pub fn identity_policy(policies: &[Policy], request: &Request<'_>) -> Decision {
    let mut allowed = None;
    for policy in policies {
        if let Some((index, statement)) = applying(policy, request, Effect::Deny).next() {
            return Decision::ExplicitDeny {
                by: name(index, statement),
            };
        }
        if let Some((index, statement)) = applying(policy, request, Effect::Allow).next() {
            allowed.get_or_insert_with(|| name(index, statement));
        }
    }
    allowed.map_or(Decision::ImplicitDeny, |by| Decision::Allowed { by })
}

fn denied(policy: &Policy, request: &Request<'_>) -> Option<String> {
    applying(policy, request, Effect::Deny)
        .find(|(_, statement)| named(statement, request.principal).is_some())
        .map(|(index, statement)| name(index, statement))
}

/// The statements of this effect whose action, resource and conditions match; principals are left to the caller.
fn applying<'p>(
    policy: &'p Policy,
    request: &'p Request<'_>,
    effect: Effect,
) -> impl Iterator<Item = (usize, &'p Statement)> {
    policy
        .statements()
        .iter()
        .enumerate()
        .filter(move |(_, statement)| {
            statement.effect == effect
                && names_action(statement, request.action)
                && names_resource(statement, request.resource)
                && statement
                    .conditions
                    .iter()
                    .all(|condition| condition_holds(condition, request.context, effect))
        })
}

fn name(index: usize, statement: &Statement) -> String {
    statement.sid.clone().unwrap_or_else(|| format!("#{index}"))
}

/// How a statement names a principal.
fn named(statement: &Statement, principal: &Principal) -> Option<Named> {
    let Match { negated, listed } = statement.principals.as_ref()?;
    let found = principal::find(listed, principal);
    match (negated, found) {
        (false, found) => found,
        (true, None) => Some(Named::Directly),
        (true, Some(_)) => None,
    }
}

/// Whether a statement is about this principal at all.
pub(crate) fn names_principal(statement: &Statement, principal: &Principal) -> bool {
    named(statement, principal).is_some()
}

/// Whether a statement is about this action; names are case-insensitive.
pub(crate) fn names_action(statement: &Statement, action: &str) -> bool {
    matches(statement.actions.as_ref(), action, true)
}

fn names_resource(statement: &Statement, resource: &str) -> bool {
    matches(statement.resources.as_ref(), resource, false)
}

/// A statement without the member has no effect.
fn matches(listed: Option<&Match<Vec<String>>>, text: &str, ignore_case: bool) -> bool {
    listed.is_some_and(|Match { negated, listed }| {
        listed.iter().any(|one| pattern(one, text, ignore_case)) != *negated
    })
}

/// Whether a pattern with `*` and `?` matches the whole text. Linear in memory, never exponential.
pub(crate) fn pattern(pattern: &str, text: &str, ignore_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        if ignore_case {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        }
    };
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}
