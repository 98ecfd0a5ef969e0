//! A statement as lines, each of one thing that it says.

use std::collections::BTreeMap;

use measurement::Pcr;

use crate::principal_name::account_of_root;
use crate::statement::{Condition, Statement};

/// What is said, by the form in which equal things are equal.
pub type Lines = BTreeMap<String, String>;

/// The lines of a statement, as they are written there.
pub fn lines(statement: &Statement) -> Lines {
    let not = |negated| if negated { "Not" } else { "" };
    let effect = format!("Effect {:?}", statement.effect);
    let mut lines = Lines::from([(effect.clone(), effect)]);
    if let Some(principals) = &statement.principals {
        let kinds = principals.listed.iter();
        let names = kinds.flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
        let not = not(principals.negated);
        lines.extend(names.map(|(kind, name)| {
            let line = |name: &str| format!("{not}Principal {kind} {name}");
            // KMS stores a bare account id as the ARN of its root.
            (line(account_of_root(name).unwrap_or(name)), line(name))
        }));
    }
    if let Some(matched) = &statement.actions {
        let line = |action: &str| format!("{}Action {action}", not(matched.negated));
        let each = matched.listed.iter();
        lines.extend(each.map(|action| (line(&action.to_ascii_lowercase()), line(action))));
    }
    if let Some(matched) = &statement.resources {
        let line = |resource| format!("{}Resource {resource}", not(matched.negated));
        lines.extend(matched.listed.iter().map(|one| (line(one), line(one))));
    }
    lines.extend(statement.conditions.iter().flat_map(condition));
    lines
}

/// Keys of conditions are case-insensitive.
fn condition(condition: &Condition) -> Vec<(String, String)> {
    let both = |value: &str| {
        let line = |key: &str| format!("Condition {} {key} {value}", condition.operator);
        (
            line(&condition.key.to_ascii_lowercase()),
            line(&condition.key),
        )
    };
    if condition.values.is_empty() {
        return vec![both("(no value)")];
    }
    let values = condition.values.iter();
    values
        .map(|value| {
            let nobody = Pcr::parse(value).is_ok_and(|pcr| pcr.is_nobody());
            let note = if nobody { " (no image has it)" } else { "" };
            both(&format!("{value}{note}"))
        })
        .collect()
}
