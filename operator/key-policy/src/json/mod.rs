//! JSON kept as it was written: order of members, digits of numbers, text or list of one.

mod members;
mod path;
pub mod position;
mod read;
mod write;

pub use path::{Fault, Path};
pub use position::{Position, of_offset, of_path};
pub use read::read;
pub use write::size_at_most;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Members in their order, each name once.
    Object(Vec<(String, Node)>),
    /// Items in their order.
    List(Vec<Node>),
    /// A text.
    Text(String),
    /// A number, with the digits that it was written with.
    Number(String),
    /// A truth value.
    Bool(bool),
    /// `null`.
    Null,
}

impl Node {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::List(_) => "a list",
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Null => "null",
        }
    }
}
