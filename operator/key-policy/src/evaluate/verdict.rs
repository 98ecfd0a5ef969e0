//! What the statements say together: an explicit Deny wins, then an Allow of the key policy, by itself or through IAM.

use std::cell::LazyCell;
use std::sync::LazyLock;

use super::candidates::{Candidate, Of, candidates};
use super::operations;
use super::principal::Naming;
use super::request::{Decision, Identity, Request};
use super::truth::Truth;
use crate::Policy;
use crate::statement::Effect;

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

/// What candidates are while something is taken for what is not known.
pub trait View {
    /// Whether a statement's resources and conditions hold.
    fn holds(&self, candidate: &Candidate<'_>) -> Truth;
    /// How it names the one who asks.
    fn names(&self, candidate: &Candidate<'_>) -> Naming;
    /// Whether IAM policies allow it, where these are not known.
    fn iam(&self) -> Truth;
}

/// Nothing is taken for anything.
struct AsKnown;

impl View for AsKnown {
    fn holds(&self, candidate: &Candidate<'_>) -> Truth {
        candidate.holds
    }

    fn names(&self, candidate: &Candidate<'_>) -> Naming {
        candidate.named
    }

    fn iam(&self) -> Truth {
        Truth::Unknown
    }
}

/// The statements that may decide.
pub struct Deciding<'a> {
    /// Of the key policy.
    pub of_key: Vec<Candidate<'a>>,
    /// Of IAM policies.
    pub of_iam: Vec<Candidate<'a>>,
    /// Whether IAM policies may allow it that are not known.
    pub iam_is_unknown: bool,
    /// Whether the one who asks is of another account than the key, and so needs IAM's word, too.
    pub abroad: bool,
    by_root: bool,
}

impl<'a> Deciding<'a> {
    /// Those of these policies.
    pub fn of(asked: &Asked<'a>, request: &Request<'a>) -> Self {
        let principal = request.principal;
        let policies = match asked.identity {
            Identity::Policies(policies) => policies,
            Identity::Unknown => &[],
        };
        let of_key = |effect| candidates(asked.policy, request, effect, Of::Key);
        let of_iam = |effect| {
            let each = policies.iter();
            each.flat_map(move |policy| candidates(policy, request, effect, Of::Iam))
        };
        let abroad = principal.account != asked.key_account && !principal.is_service();
        let mut deciding = Self {
            of_key: of_key(Effect::Deny).collect(),
            of_iam: of_iam(Effect::Deny).collect(),
            by_root: principal.is_root(),
            iam_is_unknown: matches!(asked.identity, Identity::Unknown) && !principal.is_root(),
            abroad,
        };
        // Whatever is allowed then makes no difference.
        let denied = deciding.denied(&AsKnown) == Truth::Yes;
        let refused = || abroad && operations::is_own_account_only(request.action);
        if !denied && !refused() {
            deciding.of_key.extend(of_key(Effect::Allow));
            deciding.of_iam.extend(of_iam(Effect::Allow));
        }
        deciding
    }

    /// These, whose principals were looked at.
    pub fn of_statements(of_key: Vec<Candidate<'a>>) -> Self {
        Self {
            of_key,
            of_iam: Vec::new(),
            iam_is_unknown: false,
            abroad: false,
            by_root: false,
        }
    }

    /// The answer, or what may decide it.
    pub fn verdict(&self) -> Verdict {
        self.verdict_of(&AsKnown)
    }

    /// The same while something is taken for what is not known.
    pub fn verdict_of(&self, view: &impl View) -> Verdict {
        let mut may_deny = None;
        for candidate in self.denies() {
            match denies(candidate, view) {
                Truth::Yes => {
                    let by = candidate.statement.name(candidate.index);
                    return Verdict::Decided(Decision::ExplicitDeny { by });
                }
                Truth::Unknown => {
                    may_deny.get_or_insert(candidate);
                }
                Truth::No => {}
            }
        }
        let Some((allows, holds)) = self.allowed(view) else {
            return Verdict::Decided(Decision::ImplicitDeny);
        };
        let name = |one: &Candidate<'_>| one.statement.name(one.index);
        match (holds, may_deny) {
            (Truth::Yes, None) => Verdict::Decided(Decision::Allowed { by: name(allows) }),
            (Truth::Yes, Some(denies)) => Verdict::Open { by: name(denies) },
            _ => Verdict::Open { by: name(allows) },
        }
    }

    /// Whether it is allowed whatever is still not known; `None` where that may decide.
    pub fn allows(&self, view: &impl View) -> Option<bool> {
        let denied = self.denied(view);
        if denied == Truth::Yes {
            return Some(false);
        }
        match self.allowed(view) {
            None => Some(false),
            Some((_, Truth::Yes)) if denied == Truth::No => Some(true),
            Some(_) => None,
        }
    }

    fn denies(&self) -> impl Iterator<Item = &Candidate<'a>> {
        let all = self.of_key.iter().chain(&self.of_iam);
        all.filter(|one| one.statement.effect == Effect::Deny)
    }

    fn denied(&self, view: &impl View) -> Truth {
        Truth::any(self.denies().map(|one| denies(one, view)))
    }

    /// The statement that allows it, and how surely; of several the surest, then one that names the principal before
    /// one that names its account, then the first.
    fn allowed(&self, view: &impl View) -> Option<(&Candidate<'a>, Truth)> {
        let by_identity = LazyCell::new(|| self.identity_allows(view));
        let mut best: Option<(&Candidate<'_>, (Truth, bool))> = None;
        for candidate in allows(&self.of_key) {
            let named = view.names(candidate);
            let mut directly = named.directly;
            // Another account must allow it on its side, too.
            if self.abroad && directly != Truth::No {
                directly = directly.min(*by_identity);
            }
            let by_account = if named.by_account {
                *by_identity
            } else {
                Truth::No
            };
            let sure = view.holds(candidate).min(directly.max(by_account));
            let rank = (sure, directly >= by_account);
            let better = best.is_none_or(|(_, best)| rank > best);
            if sure != Truth::No && better {
                best = Some((candidate, rank));
            }
        }
        best.map(|(candidate, (sure, _))| (candidate, sure))
    }

    /// Whether IAM policies allow it. They keep nothing from an account's root.
    fn identity_allows(&self, view: &impl View) -> Truth {
        if self.by_root {
            return Truth::Yes;
        }
        if self.iam_is_unknown {
            return view.iam();
        }
        Truth::any(allows(&self.of_iam).map(|one| view.holds(one)))
    }
}

fn allows<'c, 'a>(candidates: &'c [Candidate<'a>]) -> impl Iterator<Item = &'c Candidate<'a>> {
    let all = candidates.iter();
    all.filter(|one| one.statement.effect == Effect::Allow)
}

/// Whether a Deny applies.
fn denies(candidate: &Candidate<'_>, view: &impl View) -> Truth {
    let named = view.names(candidate).at_all();
    if named == Truth::No {
        return named;
    }
    named.min(view.holds(candidate))
}
