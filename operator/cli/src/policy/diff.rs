//! `policy diff`.

use std::fmt::Write;

use key_policy::{Change, Whole};
use serde_json::{Value, json};

use crate::arguments::Output;
use crate::input;
use crate::output::{self, Answer, Colour, Exit, Failure, paint};

/// Compares; a difference is exit status 1.
pub fn run(before: &str, after: &str, output: Output) -> Result<Answer, Failure> {
    let (before, after) = (input::policy(before)?, input::policy(after)?);
    let equal = before.equivalent(&after);
    let changes = key_policy::diff(&before, &after);
    let value = json!({
        "equal": equal,
        "changes": values(&changes),
    });
    Ok(Answer {
        text: output::form(&value, output, || human(equal, &changes))?,
        exit: Exit::of(equal),
    })
}

fn human(equal: bool, changes: &[Change]) -> String {
    if equal {
        return "both mean the same".to_owned();
    }
    if changes.is_empty() {
        return "differ in version, id or in how statements are divided".to_owned();
    }
    let mut text = lines(changes);
    if changes.iter().any(Change::is_numbered) {
        let what =
            "#n counts from 0: in the policy before, and for what is added in the policy after";
        let _ = writeln!(text, "{}", paint(Colour::Dim, what));
    }
    text
}

/// Changes for programs.
pub fn values(changes: &[Change]) -> Vec<Value> {
    let each = changes.iter().map(|change| {
        json!({
            "statement": change.statement, "statementChange": word(change.whole),
            "change": if change.added { "added" } else { "removed" }, "what": change.what,
        })
    });
    each.collect()
}

fn word(whole: Whole) -> &'static str {
    match whole {
        Whole::Changed => "changed",
        Whole::Added => "added",
        Whole::Removed => "removed",
    }
}

/// Changes under the statements that they are in; of a statement that comes or goes as a whole that is said.
pub fn lines(changes: &[Change]) -> String {
    let mut text = String::new();
    let mut last = None;
    for change in changes {
        let statement = (&change.statement, change.whole);
        if last != Some(statement) {
            let whole = match change.whole {
                Whole::Changed => String::new(),
                other => format!(" ({})", word(other)),
            };
            let _ = writeln!(text, "{}{whole}", change.statement);
            last = Some(statement);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_of_both_policies_is_two_statements() {
        let change = |whole, added| Change {
            statement: "#1".to_owned(),
            whole,
            what: "Effect Allow".to_owned(),
            added,
        };
        let both = [change(Whole::Removed, false), change(Whole::Added, true)];
        let expected = "#1 (removed)\n  - Effect Allow\n#1 (added)\n  + Effect Allow\n";
        assert_eq!(lines(&both), expected);
    }
}
