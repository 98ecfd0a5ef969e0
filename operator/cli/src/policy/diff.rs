//! `policy diff`.

use std::fmt::Write;

use key_policy::Change;
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
        "changes": changes.iter().map(|change| json!({
            "statement": change.statement, "change": if change.added { "added" } else { "removed" }, "what": change.what,
        })).collect::<Vec<Value>>(),
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
    lines(changes)
}

/// Changes under the statements that they are in.
pub fn lines(changes: &[Change]) -> String {
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
