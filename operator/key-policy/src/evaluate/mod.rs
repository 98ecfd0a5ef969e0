//! AWS's rules for key policies: who may do what, and which statement decides.
//!
//! Unlike other services, KMS asks the key policy first: without it IAM allows have no effect, and
//! naming the account's root delegates to its IAM policies. An explicit Deny anywhere wins.
//!
//! A request may be known in part. What it does not say is unknown, not absent, and an answer may depend on it.

mod compare;
mod condition;
mod context;
mod depends;
mod operations;
mod pattern;
mod principal;
mod statements;
mod truth;
mod unknowns;

use std::cell::LazyCell;
use std::sync::LazyLock;

use crate::Policy;
use crate::statement::{Effect, Statement};

pub(crate) use condition::Operator;
pub(crate) use context::is_attestation;
pub use context::{Context, Fact};
pub use depends::Dependence;
pub use operations::{Reach, attests, operation, operations};
pub use principal::Principal;
use statements::Scope;
pub(crate) use statements::{
    Application, applies, applies_whoever_asks, names_action, naming, unknown_keys,
};
pub use truth::Truth;

/// What is asked: may this principal do this, to this resource, in this context?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Action, for example `kms:Decrypt`.
    pub action: &'a str,
    /// ARN of the resource; a star in it is a part that is not known.
    pub resource: &'a str,
    /// What is known of the condition keys.
    pub context: &'a Context,
}

/// IAM policies of the one who asks.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// All of them.
    Policies(&'a [Policy]),
    /// They may allow anything, or nothing.
    Unknown,
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
    /// It depends on what the request does not say.
    Depends {
        /// The statement whose conditions decide.
        by: String,
        /// On what, each with what turns the answer.
        on: Vec<Dependence>,
    },
}

impl Decision {
    /// Whether it is allowed whatever is not known.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Whether it is denied whatever is not known.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::ExplicitDeny { .. } | Self::ImplicitDeny)
    }
}

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
    match asked.verdict(request) {
        Verdict::Decided(decision) => decision,
        Verdict::Open { by } => depends::resolve(&asked, request, by),
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
    match asked.verdict(request) {
        Verdict::Decided(decision) => Truth::from(decision.is_allowed()),
        Verdict::Open { .. } => Truth::Unknown,
    }
}

/// IAM policies that allow everything: the worst that an account can give its principals.
pub(crate) fn everything() -> &'static [Policy] {
    static EVERYTHING: LazyLock<Vec<Policy>> = LazyLock::new(|| {
        let text = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        Policy::parse(text).into_iter().collect()
    });
    &EVERYTHING
}

/// What a request is asked of.
#[derive(Clone, Copy)]
struct Asked<'a> {
    policy: &'a Policy,
    key_account: &'a str,
    identity: Identity<'a>,
}

/// What follows without trying values for what is not known.
enum Verdict {
    Decided(Decision),
    /// The conditions of this statement, or what IAM says, may decide.
    Open {
        by: String,
    },
}

impl Asked<'_> {
    fn verdict(&self, request: &Request<'_>) -> Verdict {
        let mut may_deny = None;
        for (index, statement, holds) in self.denies(request) {
            if holds == Truth::Yes {
                let by = statement.name(index);
                return Verdict::Decided(Decision::ExplicitDeny { by });
            }
            may_deny.get_or_insert((index, statement));
        }
        let Some((index, statement, holds)) = self.allowed(request) else {
            return Verdict::Decided(Decision::ImplicitDeny);
        };
        let by = || statement.name(index);
        match (holds, may_deny) {
            (Truth::Yes, None) => Verdict::Decided(Decision::Allowed { by: by() }),
            (Truth::Yes, Some((index, denies))) => Verdict::Open {
                by: denies.name(index),
            },
            _ => Verdict::Open { by: by() },
        }
    }

    /// The Deny statements that hold or may hold.
    fn denies<'p>(
        &'p self,
        request: &'p Request<'_>,
    ) -> impl Iterator<Item = (usize, &'p Statement, Truth)> {
        let of_key = statements::applying(self.policy, request, Effect::Deny, Scope::Named);
        let of_key = of_key.filter_map(|(index, statement, holds)| {
            let holds = holds.min(naming(statement, request.principal).at_all());
            (holds != Truth::No).then_some((index, statement, holds))
        });
        let of_identity = self
            .identity_policies()
            .iter()
            .flat_map(|policy| statements::applying(policy, request, Effect::Deny, Scope::Named));
        of_key.chain(of_identity)
    }

    fn identity_policies(&self) -> &[Policy] {
        match self.identity {
            Identity::Policies(policies) => policies,
            Identity::Unknown => &[],
        }
    }

    /// The statement that allows it, and how surely; of several the surest, then one that names the principal before
    /// one that names its account, then the first.
    fn allowed<'p>(&'p self, request: &'p Request<'_>) -> Option<(usize, &'p Statement, Truth)> {
        let (principal, action) = (request.principal, request.action);
        let same_account = principal.account == self.key_account || principal.is_service();
        if !same_account && operations::is_own_account_only(action) {
            return None;
        }
        let by_identity = LazyCell::new(|| self.identity_allows(request));
        let mut best: Option<(usize, &Statement, (Truth, bool))> = None;
        let allows = statements::applying(self.policy, request, Effect::Allow, Scope::Named);
        for (index, statement, holds) in allows {
            let named = naming(statement, principal);
            let mut directly = named.directly;
            // Another account must allow it on its side, too.
            if !same_account && directly != Truth::No {
                directly = directly.min(*by_identity);
            }
            let by_account = if named.by_account {
                *by_identity
            } else {
                Truth::No
            };
            let sure = holds.min(directly.max(by_account));
            let rank = (sure, directly >= by_account);
            let better = best.is_none_or(|(_, _, best)| rank > best);
            if sure != Truth::No && better {
                best = Some((index, statement, rank));
            }
        }
        best.map(|(index, statement, (sure, _))| (index, statement, sure))
    }

    /// Whether IAM policies allow it. They keep nothing from an account's root.
    fn identity_allows(&self, request: &Request<'_>) -> Truth {
        if request.principal.is_root() {
            return Truth::Yes;
        }
        let Identity::Policies(policies) = self.identity else {
            return Truth::Unknown;
        };
        let allows = |policy| {
            let statements = statements::applying(policy, request, Effect::Allow, Scope::Named);
            Truth::any(statements.map(|(_, _, holds)| holds))
        };
        Truth::any(policies.iter().map(allows))
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
