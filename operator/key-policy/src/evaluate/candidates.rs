//! Statements that may apply to a request: what is known of each is looked at once, what is not known each time that
//! something is taken for it.

use super::condition::{self, Chosen, Facts};
use super::principal::{Naming, Principal};
use super::request::Request;
use super::statements::{names_action, naming, resource};
use super::truth::Truth;
use crate::Policy;
use crate::statement::{Condition, Effect, Statement};

/// A statement that may apply.
pub struct Candidate<'a> {
    /// Its place in its policy.
    pub index: usize,
    /// The statement.
    pub statement: &'a Statement,
    /// Whether its resources and conditions hold, as far as the request is known.
    pub holds: Truth,
    /// How it names the one who asks.
    pub named: Naming,
    /// Whether it is about the resource.
    pub resource: Truth,
    /// Conditions that may hold or not; all others do.
    pub open: Vec<&'a Condition>,
    /// What they are compared with.
    pub facts: Facts<'a>,
}

/// Whose statements they are.
#[derive(Clone, Copy, PartialEq)]
pub enum Of {
    /// A key policy, which names principals.
    Key,
    /// An IAM policy of the one who asks.
    Iam,
}

/// The statements of this effect that may apply.
pub fn candidates<'a>(
    policy: &'a Policy,
    request: &Request<'a>,
    effect: Effect,
    of: Of,
) -> impl Iterator<Item = Candidate<'a>> {
    let facts = Facts::of(policy, request.action, request.context);
    let request = *request;
    let statements = policy.statements().iter().enumerate();
    let statements = statements.filter(move |(_, statement)| statement.effect == effect);
    statements.filter_map(move |statement| Candidate::of(statement, &request, of, facts))
}

/// One statement of a policy, where it may apply.
pub fn candidate<'a>(
    policy: &Policy,
    statement: (usize, &'a Statement),
    request: &Request<'a>,
    of: Of,
) -> Option<Candidate<'a>> {
    let facts = Facts::of(policy, request.action, request.context);
    Candidate::of(statement, request, of, facts)
}

impl<'a> Candidate<'a> {
    /// `None` where it does not hold whatever is not known.
    fn of(
        (index, statement): (usize, &'a Statement),
        request: &Request<'a>,
        of: Of,
        facts: Facts<'a>,
    ) -> Option<Self> {
        if !names_action(statement, request.action) {
            return None;
        }
        let named = match of {
            Of::Key => naming(statement, request.principal),
            Of::Iam => Naming::EVERYBODY,
        };
        if named.at_all() == Truth::No {
            return None;
        }
        let resource = resource(statement, request.resource, facts);
        let mut holds = resource;
        let mut open = Vec::new();
        for condition in &statement.conditions {
            if holds == Truth::No {
                break;
            }
            let one = condition::holds(condition, facts, statement.effect);
            if one == Truth::Unknown {
                open.push(condition);
            }
            holds = holds.min(one);
        }
        (holds != Truth::No).then_some(Self {
            index,
            statement,
            holds,
            named,
            resource,
            open,
            facts,
        })
    }

    /// Whether its resources and conditions hold where these are the resource and the values of keys.
    pub fn holds_with(&self, about: &str, chosen: &[Chosen<'_>]) -> Truth {
        let facts = self.facts.with(chosen);
        let effect = self.statement.effect;
        let about = match self.resource {
            Truth::Unknown => resource(self.statement, about, facts),
            sure => sure,
        };
        let each = self.open.iter();
        about.min(Truth::all(
            each.map(|one| condition::holds(one, facts, effect)),
        ))
    }

    /// How it names a session of the one who asks.
    pub fn names(&self, principal: &Principal) -> Naming {
        naming(self.statement, principal)
    }
}
