//! Why a text is no policy document.

use crate::json::{self, Fault, Position};

/// Why a text is no policy document. Lines and columns are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or JSON that is not unambiguous.
    #[error("is not JSON that can be relied on: line {line}, column {column}: {what}")]
    Json {
        /// Line.
        line: usize,
        /// Character in the line.
        column: usize,
        /// What was found or expected.
        what: String,
    },
    /// JSON, but not of the shape of a policy.
    #[error("line {line}, column {column}: {path} {what}")]
    Shape {
        /// Line.
        line: usize,
        /// Character in the line.
        column: usize,
        /// Where, for example `Statement[2].Effect`.
        path: String,
        /// What was found and expected; reads on after the path.
        what: String,
    },
}

impl ParseError {
    /// A fault in this text.
    pub(crate) fn shape(text: &str, fault: Fault) -> Self {
        let Position { line, column } = json::of_path(text, fault.path.steps());
        Self::Shape {
            line,
            column,
            path: fault.path.to_string(),
            what: fault.what,
        }
    }
}
