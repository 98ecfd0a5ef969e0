//! The form in which equal policies are equal: what `GetKeyPolicy` does to a document does not show in it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::principal_name::account_of_root;
use crate::statement::{Condition, Effect, Match, Principals, Statement};

/// A policy without order, spelling and the difference between a text and a list of one.
#[derive(PartialEq, Eq, Serialize)]
pub struct Form<'a> {
    version: &'a str,
    id: Option<&'a str>,
    statements: Vec<StatementForm>,
}

/// One statement likewise.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StatementForm {
    sid: Option<String>,
    effect: Effect,
    principals: Option<Match<BTreeSet<(String, String)>>>,
    actions: Option<Match<BTreeSet<String>>>,
    resources: Option<Match<BTreeSet<String>>>,
    conditions: BTreeSet<(String, String, BTreeSet<String>)>,
}

/// The canonical form of a policy of this version of the language, with this name and these statements.
pub fn form<'a>(version: &'a str, id: Option<&'a str>, statements: &[Statement]) -> Form<'a> {
    let mut statements: Vec<_> = statements.iter().map(statement).collect();
    statements.sort();
    Form {
        version,
        id,
        statements,
    }
}

/// Whether two lists of statements mean the same.
pub fn same_statements<'a>(
    some: impl Iterator<Item = &'a Statement>,
    others: &[Statement],
) -> bool {
    let mut some: Vec<_> = some.map(statement).collect();
    let mut others: Vec<_> = others.iter().map(statement).collect();
    some.sort();
    others.sort();
    some == others
}

/// Whether two lists of conditions mean the same.
pub fn same_conditions(some: &[Condition], others: &[Condition]) -> bool {
    let form =
        |conditions: &[Condition]| -> BTreeSet<_> { conditions.iter().map(condition).collect() };
    form(some) == form(others)
}

/// The canonical form of one statement.
pub fn statement(statement: &Statement) -> StatementForm {
    StatementForm {
        sid: statement.sid.clone(),
        effect: statement.effect,
        principals: statement
            .principals
            .as_ref()
            .map(|all| map(all, principals)),
        // Action names are case-insensitive.
        actions: statement.actions.as_ref().map(|all| {
            map(all, |listed| {
                listed
                    .iter()
                    .map(|action| action.to_ascii_lowercase())
                    .collect()
            })
        }),
        resources: statement
            .resources
            .as_ref()
            .map(|all| map(all, |listed| listed.iter().cloned().collect())),
        conditions: statement.conditions.iter().map(condition).collect(),
    }
}

fn map<T, U>(all: &Match<T>, change: impl Fn(&T) -> U) -> Match<U> {
    Match {
        negated: all.negated,
        listed: change(&all.listed),
    }
}

fn principals(listed: &Principals) -> BTreeSet<(String, String)> {
    let pairs = listed
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
    pairs
        .map(|(kind, name)| {
            // KMS stores a bare account id as the ARN of its root, in whichever partition.
            let name = account_of_root(name).unwrap_or(name);
            (kind.clone(), name.to_owned())
        })
        .collect()
}

/// Condition keys are case-insensitive.
fn condition(condition: &Condition) -> (String, String, BTreeSet<String>) {
    let values = condition.values.iter().cloned().collect();
    (
        condition.operator.clone(),
        condition.key.to_ascii_lowercase(),
        values,
    )
}
