//! A policy document: kept as it was written, and understood as statements.

use serde_json::{Map, Value};

use crate::canonical;
use crate::statement::{self, Statement};

/// A policy document. What is not understood is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    document: Map<String, Value>,
    statements: Vec<Statement>,
}

/// Why a text is no policy document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON.
    #[error("is not JSON: {0}")]
    Json(String),
    /// JSON, but not of the shape of a policy.
    #[error("{path} {what}")]
    Shape {
        /// Where, for example `Statement[2].Effect`.
        path: String,
        /// What was found and expected.
        what: String,
    },
}

impl ParseError {
    pub(crate) fn shape(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Shape {
            path: path.into(),
            what: what.into(),
        }
    }
}

impl Policy {
    /// Parses a policy document.
    pub fn parse(json: &str) -> Result<Self, ParseError> {
        let value: Value =
            serde_json::from_str(json).map_err(|error| ParseError::Json(error.to_string()))?;
        let Value::Object(document) = value else {
            return Err(ParseError::shape("the document", "is no object"));
        };
        Self::from_document(document)
    }

    /// A policy from its members.
    pub(crate) fn from_document(document: Map<String, Value>) -> Result<Self, ParseError> {
        for (name, member) in &document {
            match (name.as_str(), member) {
                ("Version" | "Id", Value::String(_)) | ("Statement", _) => {}
                ("Version" | "Id", _) => return Err(ParseError::shape(name, "is no text")),
                _ => {
                    return Err(ParseError::shape(
                        name,
                        "is not a member of a policy (Version, Id, Statement)",
                    ));
                }
            }
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            Some(_) => {
                return Err(ParseError::shape(
                    "Statement",
                    "is neither a list nor an object",
                ));
            }
            None => return Err(ParseError::shape("Statement", "is missing")),
        };
        let statements = statements
            .into_iter()
            .enumerate()
            .map(|(index, value)| statement::parse(value, &format!("Statement[{index}]")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            document,
            statements,
        })
    }

    /// A policy without statements: nobody may do anything.
    pub(crate) fn empty() -> Self {
        Self {
            document: Map::new(),
            statements: Vec::new(),
        }
    }

    /// The document as JSON, indented.
    pub fn to_json(&self) -> String {
        format!("{:#}", Value::Object(self.document.clone()))
    }

    /// Bytes of the document as it would be sent.
    pub fn size(&self) -> usize {
        self.to_json().len()
    }

    /// Whether both mean the same: order, case of actions, and a list of one do not matter.
    pub fn equivalent(&self, other: &Self) -> bool {
        canonical::form(self) == canonical::form(other)
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The statement with this Sid.
    pub fn statement(&self, sid: &str) -> Option<&Statement> {
        self.statements
            .iter()
            .find(|statement| statement.sid.as_deref() == Some(sid))
    }

    /// The language version.
    pub(crate) fn version(&self) -> Option<&str> {
        self.document.get("Version").and_then(Value::as_str)
    }

    /// The policy's own name.
    pub(crate) fn id(&self) -> Option<&str> {
        self.document.get("Id").and_then(Value::as_str)
    }

    /// The same document with another condition in the statement with this Sid.
    pub(crate) fn with_condition(&self, sid: &str, condition: Value) -> Result<Self, ParseError> {
        let mut document = self.document.clone();
        let list = match document.get_mut("Statement") {
            Some(Value::Array(statements)) => statements.iter_mut().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        for statement in list {
            if let Some(members) = statement.as_object_mut()
                && members.get("Sid").and_then(Value::as_str) == Some(sid)
            {
                members.insert("Condition".to_owned(), condition);
                break;
            }
        }
        Self::from_document(document)
    }
}
