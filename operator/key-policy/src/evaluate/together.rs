//! Deny statements of which each depends on what is not known, and which together hold whatever that is.

use super::request::{Identity, Request};
use super::verdict::{Asked, Verdict};
use super::{Truth, depends, statements};
use crate::Policy;
use crate::statement::{Effect, Match, Principals, Statement};

/// Whether one or another of these Deny statements surely applies to a request.
pub(crate) fn one_applies(policy: &Policy, denies: &[&Statement], request: &Request<'_>) -> bool {
    let applies = |statement: &&&Statement| statements::applies(policy, statement, request);
    let may = denies.iter().filter(|one| applies(one) != Truth::No);
    let may: Vec<Statement> = may.map(|one| (*one).clone()).collect();
    // One alone has said already that it depends.
    if may.len() < 2 {
        return false;
    }
    let asked = Asked {
        policy: &policy.of_statements([may, vec![everything()]].concat()),
        key_account: &request.principal.account,
        identity: Identity::Policies(&[]),
    };
    match asked.verdict(request) {
        Verdict::Decided(decision) => decision.is_denied(),
        Verdict::Open { .. } => depends::is_denied(&asked, request),
    }
}

/// What a Deny can take something from.
fn everything() -> Statement {
    let all = || vec!["*".to_owned()];
    let negated = false;
    Statement {
        sid: None,
        effect: Effect::Allow,
        principals: Some(Match {
            negated,
            listed: Principals::from([("AWS".to_owned(), all())]),
        }),
        actions: Some(Match {
            negated,
            listed: all(),
        }),
        resources: Some(Match {
            negated,
            listed: all(),
        }),
        conditions: Vec::new(),
    }
}
