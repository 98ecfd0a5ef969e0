//! From text to nodes, a layer at a time: raw slices keep what a parsed value would lose.

use serde_json::value::RawValue;

use super::members::{Members, offset};
use super::{Node, Position, of_offset};
use crate::ParseError;

/// A policy has six layers; more than this is no policy, and would only use up the stack.
const DEEPEST: usize = 32;

/// Reads one JSON value that is the whole text.
pub fn read(text: &str) -> Result<Node, ParseError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        let position = Position {
            line: error.line().max(1),
            column: error.column().max(1),
        };
        fault(position, message(&error))
    })?;
    node(text, raw, 0)
}

/// What `serde_json` says, without the place that it appends.
fn message(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = error.to_string();
    said.strip_suffix(&place).unwrap_or(&said).to_owned()
}

fn fault(Position { line, column }: Position, what: impl Into<String>) -> ParseError {
    ParseError::Json {
        line,
        column,
        what: what.into(),
    }
}

fn node(text: &str, raw: &RawValue, depth: usize) -> Result<Node, ParseError> {
    let slice = raw.get();
    let here = || of_offset(text, offset(text, raw));
    let bad = |error: serde_json::Error| fault(here(), message(&error));
    if depth > DEEPEST {
        return Err(fault(here(), "nested deeper than any policy is"));
    }
    Ok(match slice.as_bytes().first() {
        Some(b'{') => Node::Object(members(text, raw, depth)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(slice).map_err(bad)?;
            let items = items.into_iter().map(|item| node(text, item, depth + 1));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Node::Text(serde_json::from_str(slice).map_err(bad)?),
        Some(b't' | b'f') => Node::Bool(slice == "true"),
        Some(b'n') => Node::Null,
        _ => Node::Number(slice.to_owned()),
    })
}

/// A name that is there twice has no meaning that two readers would agree on.
fn members(text: &str, raw: &RawValue, depth: usize) -> Result<Vec<(String, Node)>, ParseError> {
    let Members(found) = serde_json::from_str(raw.get())
        .map_err(|error| fault(of_offset(text, offset(text, raw)), message(&error)))?;
    let mut members: Vec<(String, Node)> = Vec::with_capacity(found.len());
    for (name, value) in found {
        if members.iter().any(|(before, _)| *before == name) {
            let position = of_offset(text, offset(text, value));
            return Err(fault(
                position,
                format!("the member {name:?} is there twice"),
            ));
        }
        members.push((name, node(text, value, depth + 1)?));
    }
    Ok(members)
}
