//! Whether somebody whom an Allow names can ever do what it allows.

use super::lens::Lens;
use super::{DATA_OPERATIONS, WAYS_ROUND};
use crate::arn::Arn;
use crate::evaluate::{
    Context, Principal, Reach, Truth, applies_whoever_asks, attests, is_own_account_only,
    names_action, operation, operations,
};
use crate::principal_name::account_of_root;
use crate::project::is_ours;
use crate::statement::{Effect, Match, Statement};

/// Somebody whom a statement names.
struct Named {
    /// What is known of the requests.
    context: Context,
    /// Whether they come from another account than the key's.
    abroad: bool,
}

/// Those of the actions that somebody whom the statement names might do by it.
pub fn possible(
    lens: &Lens<'_>,
    statement: &Statement,
    mut actions: Vec<&'static str>,
) -> Vec<&'static str> {
    if actions.is_empty() {
        return actions;
    }
    let named = named(lens, statement);
    actions.retain(|action| may(lens, statement, &named, action));
    actions
}

/// Why nobody can ever do what an Allow allows, and what to do; `None` where somebody might.
pub fn never(lens: &Lens<'_>, statement: &Statement) -> Option<(String, &'static str)> {
    // Of the five it is said what is missing without them.
    if statement.effect != Effect::Allow || is_ours(statement) {
        return None;
    }
    let named = named(lens, statement);
    if statement.conditions.is_empty() && named.iter().any(|one| !one.abroad) {
        return None;
    }
    // Nearly always it gives one of these.
    let mut usual = DATA_OPERATIONS.into_iter().chain(WAYS_ROUND);
    if usual.any(|action| names_action(statement, action) && may(lens, statement, &named, action)) {
        return None;
    }
    let all = operations().map(|name| format!("kms:{name}"));
    let given = all.filter(|action| {
        let governed = || operation(action).is_some_and(|(_, reach)| reach != Reach::NoKey);
        names_action(statement, action) && governed()
    });
    let mut given = given.peekable();
    let first = given.peek()?.clone();
    if given.any(|action| may(lens, statement, &named, &action)) {
        return None;
    }
    let refused = named.iter().all(|one| one.abroad) && is_own_account_only(&first);
    let why = if refused {
        "another account is refused it whatever a policy says"
    } else {
        "its conditions cannot hold there"
    };
    let why = format!("never gives {first} to {}: {why}", statement.who());
    Some((why, "Say who and what is meant, or remove it"))
}

fn may(lens: &Lens<'_>, statement: &Statement, named: &[Named], action: &str) -> bool {
    let own_alone = is_own_account_only(action);
    let applies = |context: &Context| {
        let applies = applies_whoever_asks(lens.policy, statement, action, &lens.key, context);
        applies.of_this_key() != Truth::No
    };
    let mut named = named.iter().filter(|one| !(one.abroad && own_alone));
    named.any(|Named { context, .. }| {
        let attested = || {
            applies(&context.clone().attesting_an_image())
                || applies(&context.clone().attesting_a_tpm())
        };
        applies(context) || attests(action) && attested()
    })
}

fn named(lens: &Lens<'_>, statement: &Statement) -> Vec<Named> {
    let Some(Match { negated, listed }) = &statement.principals else {
        return Vec::new();
    };
    if *negated {
        return vec![somebody()];
    }
    let each = listed.iter();
    each.flat_map(|(kind, names)| names.iter().map(|name| one(lens, kind, name)))
        .collect()
}

/// Of whom nothing is known.
fn somebody() -> Named {
    Named {
        context: Context::open(),
        abroad: false,
    }
}

fn one(lens: &Lens<'_>, kind: &str, name: &str) -> Named {
    let of = |principal: &Principal| Named {
        context: Context::of(principal, &lens.key),
        abroad: kind == "AWS" && principal.account != lens.template.key_account,
    };
    if kind == "Service" {
        return of(&Principal::service(name));
    }
    if kind != "AWS" {
        return somebody();
    }
    let anybody = |account: &str| of(&Principal::anybody(account));
    if let Some(account) = account_of_root(name) {
        return anybody(account);
    }
    match Arn::parse(name).filter(Arn::has_account) {
        // Its role's path does not show in a session's ARN.
        Some(arn) if arn.resource.starts_with("assumed-role/") => anybody(arn.account),
        Some(arn) if arn.resource.starts_with("role/") => of(&Principal::session(
            name,
            arn.account,
            Principal::ANY_SESSION,
        )),
        Some(arn) => of(&Principal::new(name, arn.account)),
        None => somebody(),
    }
}
