//! What the statements say together: an explicit Deny wins, then an Allow of the key policy, by itself or through IAM.

use std::cell::LazyCell;
use std::sync::LazyLock;

use super::operations;
use super::request::{Decision, Identity, Request};
use super::statements::{self, Scope, naming};
use super::truth::Truth;
use crate::Policy;
use crate::statement::{Effect, Statement};

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
pub struct Asked<'a> {
    /// The key policy.
    pub policy: &'a Policy,
    /// Account of the key.
    pub key_account: &'a str,
    /// IAM policies of the one who asks.
    pub identity: Identity<'a>,
}

/// What follows without trying values for what is not known.
pub enum Verdict {
    /// The answer.
    Decided(Decision),
    /// The conditions of this statement, or what IAM says, may decide.
    Open {
        /// Its Sid, or `#index`.
        by: String,
    },
}

impl Asked<'_> {
    /// The answer, or what may decide it.
    pub fn verdict(&self, request: &Request<'_>) -> Verdict {
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
