//! What one policy changes in another; order and spelling do not count.

mod lines;
mod pairs;

use std::fmt;

use crate::Policy;
use crate::statement::Statement;
use lines::{Lines, lines};
use pairs::Pairs;

/// What happens to the statement that a change is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It is there before and after, and says something else.
    Changed,
    /// It is not there before.
    Added,
    /// It is not there after.
    Removed,
}

/// One change: in which statement, what, and whether it comes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The statement's Sid; without one `#index` from 0, and with one that is there twice both. The index is that
    /// of the policy before; that of the policy after where the statement is added.
    pub statement: String,
    /// What happens to the statement.
    pub whole: Whole,
    /// One thing that the statement says, as a line.
    pub what: String,
    /// It comes (true) or goes.
    pub added: bool,
}

impl Change {
    /// Whether the statement is named by its place.
    pub fn is_numbered(&self) -> bool {
        self.statement.contains('#')
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.added { '+' } else { '-' };
        // A number alone would not say of which of the two policies it is.
        let of_after = if self.is_numbered() && self.whole == Whole::Added {
            " (added)"
        } else {
            ""
        };
        write!(f, "{sign} {}{of_after}: {}", self.statement, self.what)
    }
}

/// Changes by statement: what goes or changes in the order of the first policy, then what comes in that of the second.
///
/// Statements belong together by their Sid. Those without one, or with one that is there twice, belong together where
/// they mean the same, and then where most of what they say is the same. Nothing where both policies mean the same.
pub fn diff(before: &Policy, after: &Policy) -> Vec<Change> {
    let said = |policy: &Policy| policy.statements().iter().map(lines).collect::<Vec<_>>();
    let (old, new) = (said(before), said(after));
    let pairs = Pairs::of([before.statements(), after.statements()], [&old, &new]);
    let nothing = Lines::new();
    let mut changes = Vec::new();
    for (index, old) in old.iter().enumerate() {
        let name = name(before.statements(), index);
        match pairs.after(index) {
            Some(partner) => changes.extend(changed(&name, Whole::Changed, old, &new[partner])),
            None => changes.extend(changed(&name, Whole::Removed, old, &nothing)),
        }
    }
    for index in pairs.added() {
        let name = name(after.statements(), index);
        changes.extend(changed(&name, Whole::Added, &nothing, &new[index]));
    }
    changes
}

/// What is only on one side, first of what goes.
fn changed(name: &str, whole: Whole, old: &Lines, new: &Lines) -> Vec<Change> {
    let only = |some: &Lines, others: &Lines, added| -> Vec<_> {
        let only = some.iter().filter(|(key, _)| !others.contains_key(*key));
        only.map(|(_, what)| Change {
            statement: name.to_owned(),
            whole,
            what: what.clone(),
            added,
        })
        .collect()
    };
    [only(old, new, false), only(new, old, true)].concat()
}

fn name(statements: &[Statement], index: usize) -> String {
    let statement = &statements[index];
    let same = statements.iter().filter(|other| other.sid == statement.sid);
    match &statement.sid {
        Some(sid) if same.count() > 1 => format!("{sid} (#{index})"),
        _ => statement.name(index),
    }
}
