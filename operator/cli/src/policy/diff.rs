//! `policy diff`.

use std::collections::BTreeSet;
use std::fmt::Write;

use key_policy::{Condition, Policy, Statement};
use serde_json::{Value, json};

use crate::arguments::Output;
use crate::input;
use crate::output::{self, Answer, Colour, Failure, paint};

/// One change: in which statement, what, and whether it came or went.
struct Change {
    statement: String,
    what: String,
    added: bool,
}

/// Compares; a difference is exit status 1.
pub fn run(before: &str, after: &str, output: Output) -> Result<Answer, Failure> {
    let (before, after) = (input::policy(before)?, input::policy(after)?);
    let equal = before.equivalent(&after);
    let changes = if equal {
        Vec::new()
    } else {
        changes(&before, &after)
    };
    let value = json!({
        "equal": equal,
        "changes": changes.iter().map(|change| json!({
            "statement": change.statement, "change": if change.added { "added" } else { "removed" }, "what": change.what,
        })).collect::<Vec<Value>>(),
    });
    Ok(Answer {
        text: output::form(&value, output, || human(equal, &changes))?,
        clean: equal,
    })
}

fn human(equal: bool, changes: &[Change]) -> String {
    if equal {
        return "both mean the same".to_owned();
    }
    if changes.is_empty() {
        return "differ in version, id or in how statements are divided".to_owned();
    }
    let mut text = String::new();
    let mut last = "";
    for change in changes {
        if change.statement != last {
            let _ = writeln!(text, "{}", change.statement);
            last = &change.statement;
        }
        let (sign, colour) = if change.added {
            ("+", Colour::Green)
        } else {
            ("-", Colour::Red)
        };
        let _ = writeln!(
            text,
            "  {}",
            paint(colour, format!("{sign} {}", change.what))
        );
    }
    text
}

/// Changes by statement, in the order of the policies; statements are told apart by Sid or place.
fn changes(before: &Policy, after: &Policy) -> Vec<Change> {
    let (before, after) = (named(before), named(after));
    let mut names: Vec<_> = before.iter().map(|(name, _)| name).collect();
    names.extend(
        after
            .iter()
            .map(|(name, _)| name)
            .filter(|name| before.iter().all(|(known, _)| known != *name)),
    );
    let lines = |side: &[(String, BTreeSet<String>)], name: &String| {
        let found = side.iter().find(|(known, _)| known == name);
        found.map(|(_, lines)| lines.clone()).unwrap_or_default()
    };
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (lines(&before, name), lines(&after, name));
        for (what, added) in old
            .difference(&new)
            .map(|line| (line, false))
            .chain(new.difference(&old).map(|line| (line, true)))
        {
            changes.push(Change {
                statement: name.clone(),
                what: what.clone(),
                added,
            });
        }
    }
    changes
}

fn named(policy: &Policy) -> Vec<(String, BTreeSet<String>)> {
    let mut named: Vec<(String, BTreeSet<String>)> = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        let mut name = statement.sid.clone().unwrap_or_else(|| format!("#{index}"));
        if named.iter().any(|(known, _)| *known == name) {
            name = format!("{name} (statement {index})");
        }
        named.push((name, lines(statement)));
    }
    named
}

/// A statement as a set of lines, each of one thing that it says.
fn lines(statement: &Statement) -> BTreeSet<String> {
    let not = |negated| if negated { "Not" } else { "" };
    let mut lines = BTreeSet::from([format!("Effect {:?}", statement.effect)]);
    if let Some(principals) = &statement.principals {
        let names = principals
            .listed
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
        lines.extend(
            names.map(|(kind, name)| format!("{}Principal {kind} {name}", not(principals.negated))),
        );
    }
    if let Some(actions) = &statement.actions {
        lines.extend(
            actions
                .listed
                .iter()
                .map(|one| format!("{}Action {one}", not(actions.negated))),
        );
    }
    if let Some(resources) = &statement.resources {
        lines.extend(
            resources
                .listed
                .iter()
                .map(|one| format!("{}Resource {one}", not(resources.negated))),
        );
    }
    lines.extend(statement.conditions.iter().flat_map(condition));
    lines
}

fn condition(condition: &Condition) -> Vec<String> {
    let Condition {
        operator,
        key,
        values,
    } = condition;
    let head = format!("Condition {operator} {key}");
    if values.is_empty() {
        return vec![format!("{head} (no value)")];
    }
    values
        .iter()
        .map(|value| format!("{head} {value}"))
        .collect()
}
