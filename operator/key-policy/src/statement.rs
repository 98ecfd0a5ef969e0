//! One statement of a policy.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ParseError;

/// Allow or Deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Gives.
    Allow,
    /// Takes, whatever else gives.
    Deny,
}

/// A list of patterns, or everything but it (`NotAction`, `NotResource`, `NotPrincipal`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match<T> {
    /// The listed ones are meant, or all others.
    pub negated: bool,
    /// What is listed.
    pub listed: T,
}

/// Principals by kind (`AWS`, `Service`, ...). `"*"` is written as `AWS: *`.
pub type Principals = BTreeMap<String, Vec<String>>;

/// One comparison of a condition block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// Operator, as written.
    pub operator: String,
    /// Condition key, as written.
    pub key: String,
    /// Values; numbers and booleans as text.
    pub values: Vec<String>,
}

/// One statement. A statement without Action or Resource is accepted by KMS and has no effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Its name.
    pub sid: Option<String>,
    /// Allow or Deny.
    pub effect: Effect,
    /// Who; `None` in identity policies.
    pub principals: Option<Match<Principals>>,
    /// What.
    pub actions: Option<Match<Vec<String>>>,
    /// On what.
    pub resources: Option<Match<Vec<String>>>,
    /// Under which conditions, all of them.
    pub conditions: Vec<Condition>,
}

/// Parses one statement; `path` names it in errors.
pub(crate) fn parse(value: &Value, path: &str) -> Result<Statement, ParseError> {
    let Value::Object(members) = value else {
        return Err(ParseError::shape(path, "is no object"));
    };
    let known = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    if let Some(unknown) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(ParseError::shape(
            format!("{path}.{unknown}"),
            "is not a member of a statement",
        ));
    }
    let sid = match members.get("Sid") {
        None => None,
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return Err(ParseError::shape(format!("{path}.Sid"), "is no text")),
    };
    let effect = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => {
            return Err(ParseError::shape(
                format!("{path}.Effect"),
                "is neither Allow nor Deny",
            ));
        }
    };
    Ok(Statement {
        sid,
        effect,
        principals: either(members, path, "Principal", principals)?,
        actions: either(members, path, "Action", texts)?,
        resources: either(members, path, "Resource", texts)?,
        conditions: match members.get("Condition") {
            None => Vec::new(),
            Some(block) => conditions(block, &format!("{path}.Condition"))?,
        },
    })
}

/// A member or its negated form, not both.
fn either<T>(
    members: &Map<String, Value>,
    path: &str,
    name: &str,
    parse: impl Fn(&Value, &str) -> Result<T, ParseError>,
) -> Result<Option<Match<T>>, ParseError> {
    let negated_name = format!("Not{name}");
    let (negated, value) = match (members.get(name), members.get(&negated_name)) {
        (None, None) => return Ok(None),
        (Some(value), None) => (false, value),
        (None, Some(value)) => (true, value),
        (Some(_), Some(_)) => {
            return Err(ParseError::shape(
                format!("{path}.{name}"),
                format!("stands beside {negated_name}"),
            ));
        }
    };
    let listed = parse(value, &format!("{path}.{name}"))?;
    Ok(Some(Match { negated, listed }))
}

fn principals(value: &Value, path: &str) -> Result<Principals, ParseError> {
    match value {
        Value::String(all) if all == "*" => Ok([("AWS".to_owned(), vec!["*".to_owned()])].into()),
        Value::Object(kinds) => kinds
            .iter()
            .map(|(kind, listed)| Ok((kind.clone(), texts(listed, &format!("{path}.{kind}"))?)))
            .collect(),
        _ => Err(ParseError::shape(path, "is neither \"*\" nor an object")),
    }
}

/// A text or a list of texts.
fn texts(value: &Value, path: &str) -> Result<Vec<String>, ParseError> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(ParseError::shape(
            path,
            "is neither a text nor a list of texts",
        )),
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

fn conditions(value: &Value, path: &str) -> Result<Vec<Condition>, ParseError> {
    let Value::Object(operators) = value else {
        return Err(ParseError::shape(path, "is no object"));
    };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let path = format!("{path}.{operator}");
        let Value::Object(keys) = keys else {
            return Err(ParseError::shape(path, "is no object"));
        };
        for (key, values) in keys {
            conditions.push(Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: scalars(values, &format!("{path}.{key}"))?,
            });
        }
    }
    Ok(conditions)
}

/// A text, number or boolean, or a list of them.
fn scalars(value: &Value, path: &str) -> Result<Vec<String>, ParseError> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(ParseError::shape(path, "is no text, number or boolean")),
    };
    match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        one => Ok(vec![scalar(one)?]),
    }
}
