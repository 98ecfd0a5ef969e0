//! AWS's rules for key policies: who may do what, and which statement decides.
//!
//! Unlike other services, KMS asks the key policy first: without it IAM allows have no effect, and
//! naming the account's root delegates to its IAM policies. An explicit Deny anywhere wins.
//!
//! A request may be known in part. What it does not say is unknown, not absent, and an answer may depend on it.

mod addresses;
mod any_case;
mod candidates;
mod compare;
mod compared;
mod condition;
mod context;
mod depends;
mod examples;
mod fact;
mod key_arn;
mod operations;
mod outcomes;
mod overlap;
mod pattern;
mod principal;
mod request;
mod search;
mod statements;
mod texts;
mod together;
mod told_apart;
mod trial;
mod truth;
mod turns;
mod typed_keys;
mod unknowns;
mod used;
mod variables;
mod verdict;
mod wanted;
mod wildcard;

use crate::Policy;
use crate::statement::Effect;

pub(crate) use any_case::matches_ignoring_case as names;
pub(crate) use condition::Operator;
pub use context::Context;
pub(crate) use context::{is_attestation, is_attested};
pub use fact::Fact;
pub use operations::{Reach, attests, operation, operations};
pub(crate) use operations::{is_known, is_own_account_only};
pub(crate) use pattern::has_variable;
pub use principal::Principal;
pub use request::{Decision, Dependence, Identity, Request, Unturned};
use statements::Scope;
pub(crate) use statements::{
    Application, SESSION_NAME, applies, applies_whoever_asks, names_action, names_key, naming,
    open_keys, unknown_keys, without_attestation,
};
pub(crate) use together::{needed, one_applies};
pub use truth::Truth;
pub(crate) use verdict::everything;
use verdict::{Asked, Deciding, Verdict};

/// A key policy together with the identity policies of the one who asks.
pub fn key_policy(
    policy: &Policy,
    key_account: &str,
    identity: Identity<'_>,
    request: &Request<'_>,
) -> Decision {
    let asked = Asked {
        policy,
        key_account,
        identity,
    };
    let deciding = Deciding::of(&asked, request);
    match deciding.verdict() {
        Verdict::Decided(decision) => decision,
        Verdict::Open { by } => depends::resolve(&deciding, request, by),
    }
}

/// The same question without its reason, and without trying what is not known: where that could decide, it is unknown.
pub(crate) fn allows(
    policy: &Policy,
    key_account: &str,
    identity: Identity<'_>,
    request: &Request<'_>,
) -> Truth {
    let asked = Asked {
        policy,
        key_account,
        identity,
    };
    match Deciding::of(&asked, request).verdict() {
        Verdict::Decided(decision) => Truth::from(decision.is_allowed()),
        Verdict::Open { .. } => Truth::Unknown,
    }
}

/// One resource policy alone (a role's trust policy, say): naming the account is enough, and a
/// statement without Resource is about what the policy is attached to. Only what is sure counts.
pub fn resource_policy(policy: &Policy, request: &Request<'_>) -> Decision {
    let find = |effect| {
        let mut applying = statements::applying(policy, request, effect, Scope::Attached);
        applying.find_map(|(index, statement, holds)| {
            let sure = holds.min(naming(statement, request.principal).at_all());
            (sure == Truth::Yes).then(|| statement.name(index))
        })
    };
    decided(find)
}

/// Identity policies (or a session policy): their statements name no principal. Only what is sure counts.
pub fn identity_policy(policies: &[Policy], request: &Request<'_>) -> Decision {
    let find = |effect| {
        policies.iter().find_map(|policy| {
            let mut applying = statements::applying(policy, request, effect, Scope::Named);
            let (index, statement, _) = applying.find(|(_, _, sure)| *sure == Truth::Yes)?;
            Some(statement.name(index))
        })
    };
    decided(find)
}

/// A Deny wins over an Allow.
fn decided(find: impl Fn(Effect) -> Option<String>) -> Decision {
    if let Some(by) = find(Effect::Deny) {
        return Decision::ExplicitDeny { by };
    }
    find(Effect::Allow).map_or(Decision::ImplicitDeny, |by| Decision::Allowed { by })
}
