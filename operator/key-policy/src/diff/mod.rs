//! What one policy changes in another; order and spelling do not count.

use std::collections::BTreeSet;
use std::fmt;

use measurement::Pcr;

use crate::Policy;
use crate::statement::{Condition, Statement};

/// One change: in which statement, what, and whether it comes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The statement's Sid, or `#index`.
    pub statement: String,
    /// One thing that the statement says, as a line.
    pub what: String,
    /// It comes (true) or goes.
    pub added: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.added { '+' } else { '-' };
        write!(f, "{sign} {}: {}", self.statement, self.what)
    }
}

/// Changes by statement, in the order of the policies; statements are told apart by Sid or place.
///
/// Nothing where both mean the same.
pub fn diff(before: &Policy, after: &Policy) -> Vec<Change> {
    if before.equivalent(after) {
        return Vec::new();
    }
    let (before, after) = (named(before), named(after));
    let is_new = |name: &&String| before.iter().all(|(known, _)| known != *name);
    let new: Vec<_> = after.iter().map(|(name, _)| name).filter(is_new).collect();
    let lines = |side: &[(String, BTreeSet<String>)], name: &String| {
        let found = side.iter().find(|(known, _)| known == name);
        found.map(|(_, lines)| lines.clone()).unwrap_or_default()
    };
    let mut changes = Vec::new();
    for name in before.iter().map(|(name, _)| name).chain(new) {
        let (old, new) = (lines(&before, name), lines(&after, name));
        let gone = old.difference(&new).map(|line| (line, false));
        let come = new.difference(&old).map(|line| (line, true));
        changes.extend(gone.chain(come).map(|(what, added)| Change {
            statement: name.clone(),
            what: what.clone(),
            added,
        }));
    }
    changes
}

fn named(policy: &Policy) -> Vec<(String, BTreeSet<String>)> {
    let mut named: Vec<(String, BTreeSet<String>)> = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        let mut name = statement.name(index);
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
        let kinds = principals.listed.iter();
        let names = kinds.flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
        let not = not(principals.negated);
        lines.extend(names.map(|(kind, name)| format!("{not}Principal {kind} {name}")));
    }
    let listed = [
        ("Action", &statement.actions),
        ("Resource", &statement.resources),
    ];
    for (word, matched) in listed {
        if let Some(matched) = matched {
            let not = not(matched.negated);
            lines.extend(
                matched
                    .listed
                    .iter()
                    .map(|one| format!("{not}{word} {one}")),
            );
        }
    }
    lines.extend(statement.conditions.iter().flat_map(condition));
    lines
}

fn condition(condition: &Condition) -> Vec<String> {
    let head = format!("Condition {} {}", condition.operator, condition.key);
    if condition.values.is_empty() {
        return vec![format!("{head} (no value)")];
    }
    let values = condition.values.iter();
    values
        .map(|value| {
            let nobody = Pcr::parse(value).is_ok_and(|pcr| pcr.is_nobody());
            let note = if nobody { " (no image has it)" } else { "" };
            format!("{head} {value}{note}")
        })
        .collect()
}
