//! Lines and columns, for people who have the text before them.

use serde_json::value::RawValue;

use super::members::{Members, offset};
use super::path::Step;

/// A place in a text, both counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Character in the line.
    pub column: usize,
}

/// The position of a byte.
pub fn of_offset(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Where a statement begins; one alone need not be in a list.
pub fn of_statement(text: &str, index: usize) -> Position {
    of_path(
        text,
        &[Step::Member("Statement".to_owned()), Step::Item(index)],
    )
}

/// Where the value at the end of a path begins; where the path breaks off, the last value on it.
pub fn of_path(text: &str, steps: &[Step]) -> Position {
    let Ok(mut value) = serde_json::from_str::<&RawValue>(text) else {
        return of_offset(text, 0);
    };
    for step in steps {
        let Some(inner) = inner(value, step) else {
            break;
        };
        value = inner;
    }
    of_offset(text, offset(text, value))
}

fn inner<'a>(value: &'a RawValue, step: &Step) -> Option<&'a RawValue> {
    match step {
        Step::Member(name) => {
            let Members(members) = serde_json::from_str(value.get()).ok()?;
            members
                .into_iter()
                .find_map(|(found, value)| (found == *name).then_some(value))
        }
        Step::Item(index) => {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            items.get(*index).copied()
        }
    }
}
