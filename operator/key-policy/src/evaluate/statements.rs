//! Which statements of a policy apply to a request, as far as it is known.

use super::any_case;
use super::condition::{self, Facts};
use super::context::Context;
use super::fact::Fact;
use super::pattern::{Resolved, variables};
use super::principal::{self, Naming, Principal};
use super::request::Request;
use super::truth::Truth;
use crate::Policy;
use crate::statement::{Condition, Effect, Match, Statement};

/// What the key's ARN is called where an answer depends on it.
pub const KEY_ARN: &str = "key ARN";
/// And the name of the role's session.
pub const SESSION_NAME: &str = "session name";

/// What a statement without Resource is about.
#[derive(Clone, Copy, PartialEq)]
pub enum Scope {
    /// Nothing: key policies and identity policies have to name resources.
    Named,
    /// What the policy is attached to.
    Attached,
}

/// The statements of this effect whose action, resource and conditions match or may match; principals are left to the caller.
pub fn applying<'p>(
    policy: &'p Policy,
    request: &'p Request<'_>,
    effect: Effect,
    scope: Scope,
) -> impl Iterator<Item = (usize, &'p Statement, Truth)> {
    let facts = Facts::of(policy, request.action, request.context);
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(move |(index, statement)| {
        if statement.effect != effect || !names_action(statement, request.action) {
            return None;
        }
        let attached = scope == Scope::Attached && statement.resources.is_none();
        let resource = if attached {
            Truth::Yes
        } else {
            resource(statement, request.resource, facts)
        };
        let holds = resource.min(conditions(statement, facts));
        (holds != Truth::No).then_some((index, statement, holds))
    })
}

/// Whether a statement applies to a request of this principal, whatever its effect.
pub(crate) fn applies(policy: &Policy, statement: &Statement, request: &Request<'_>) -> Truth {
    let named = naming(statement, request.principal).at_all();
    let Request {
        action,
        resource,
        context,
        ..
    } = *request;
    let rest = || applies_whoever_asks(policy, statement, action, resource, context).surely();
    if named == Truth::No {
        named
    } else {
        named.min(rest())
    }
}

/// Whether a statement's resources and conditions match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Application {
    /// Whether it is about the key.
    pub resource: Truth,
    /// Whether its conditions hold.
    pub conditions: Truth,
}

impl Application {
    const NONE: Self = Self {
        resource: Truth::No,
        conditions: Truth::No,
    };

    /// Both.
    pub fn surely(self) -> Truth {
        self.resource.min(self.conditions)
    }

    /// The same where a key of which the ARN is not known is the one that the statement names: a policy that names a
    /// key of its own account means the one that it is attached to.
    pub fn of_this_key(self) -> Truth {
        match self.resource {
            Truth::No => Truth::No,
            _ => self.conditions,
        }
    }
}

/// Whether a statement applies to a request, but for its principals and whatever its effect.
pub(crate) fn applies_whoever_asks(
    policy: &Policy,
    statement: &Statement,
    action: &str,
    key: &str,
    context: &Context,
) -> Application {
    if !names_action(statement, action) {
        return Application::NONE;
    }
    let facts = Facts::of(policy, action, context);
    Application {
        resource: resource(statement, key, facts),
        conditions: conditions(statement, facts),
    }
}

/// The condition keys that decide whether a statement's conditions hold and are not known, variables among them.
pub(crate) fn open_keys(
    policy: &Policy,
    statement: &Statement,
    action: &str,
    context: &Context,
) -> Vec<String> {
    let facts = Facts::of(policy, action, context);
    let mut keys: Vec<String> = Vec::new();
    for condition in &statement.conditions {
        if condition::holds(condition, facts, statement.effect) != Truth::Unknown {
            continue;
        }
        let texts = condition.values.iter();
        let texts = texts.filter(|_| facts.has_variables());
        let inside = texts.flat_map(|value| variables(value));
        let all = std::iter::once(condition.key.as_str()).chain(inside);
        let unknown = all.filter(|key| !matches!(facts.fact(key), Fact::Values(_)));
        for key in unknown {
            if !keys.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                keys.push(key.to_owned());
            }
        }
    }
    keys
}

/// What decides whether a statement applies and is not known: condition keys, [`KEY_ARN`] and [`SESSION_NAME`].
pub(crate) fn unknown_keys(
    policy: &Policy,
    statement: &Statement,
    request: &Request<'_>,
) -> Vec<String> {
    let facts = Facts::of(policy, request.action, request.context);
    let mut keys = open_keys(policy, statement, request.action, request.context);
    if resource(statement, request.resource, facts) == Truth::Unknown {
        keys.push(KEY_ARN.to_owned());
    }
    if naming(statement, request.principal).at_all() == Truth::Unknown {
        keys.push(SESSION_NAME.to_owned());
    }
    keys
}

/// Whether one condition of a statement holds for requests of which nothing is known but that they carry no attestation.
pub(crate) fn without_attestation(
    policy: &Policy,
    statement: &Statement,
    condition: &Condition,
) -> Truth {
    let nothing = Context::open();
    let facts = Facts::of(policy, "kms:Decrypt", &nothing);
    condition::holds(condition, facts, statement.effect)
}

fn conditions(statement: &Statement, facts: Facts<'_>) -> Truth {
    let each = statement.conditions.iter();
    Truth::all(each.map(|condition| condition::holds(condition, facts, statement.effect)))
}

/// How a statement names a principal.
pub fn naming(statement: &Statement, principal: &Principal) -> Naming {
    let nobody = Naming {
        directly: Truth::No,
        by_account: false,
    };
    let Some(Match { negated, listed }) = &statement.principals else {
        return nobody;
    };
    let found = || principal::find(listed, principal);
    if !negated {
        return found();
    }
    let spared = match statement.effect {
        Effect::Allow => found().at_all(),
        Effect::Deny => principal::is_spared(listed, principal),
    };
    Naming {
        directly: spared.negated(),
        ..nobody
    }
}

/// Whether a statement is about this action; names are case-insensitive. A statement without the member has no effect.
pub(crate) fn names_action(statement: &Statement, action: &str) -> bool {
    statement.actions.as_ref().is_some_and(|actions| {
        let mut listed = actions.listed.iter();
        listed.any(|one| any_case::matches_ignoring_case(one, action)) != actions.negated
    })
}

/// Whether a statement is about a key, of whose requests nothing is known.
pub(crate) fn names_key(policy: &Policy, statement: &Statement, key: &str) -> Truth {
    let nothing = Context::open();
    resource(statement, key, Facts::of(policy, "kms:Decrypt", &nothing))
}

/// Whether a statement is about this resource, an ARN in which a star is a part that is not known.
pub fn resource(statement: &Statement, resource: &str, facts: Facts<'_>) -> Truth {
    let Some(Match { negated, listed }) = &statement.resources else {
        return Truth::No;
    };
    let named = is_listed(listed, resource, facts);
    if *negated { named.negated() } else { named }
}

/// Whether a list of resources has this one, an ARN in which a star is a part that is not known.
pub fn is_listed(listed: &[String], resource: &str, facts: Facts<'_>) -> Truth {
    let matches = |one: &String| match one.as_str() {
        "*" => Truth::Yes,
        _ => match facts.wanted(one) {
            Resolved::Known(wanted) => wanted.into_pattern().matches_partly_known(resource),
            Resolved::Missing => Truth::No,
            Resolved::Unknown => Truth::Unknown,
        },
    };
    Truth::any(listed.iter().map(matches))
}
