//! From nodes to statements: what a policy's members may be.

use crate::json::{Fault, Node, Path};
use crate::statement::{Condition, Effect, Match, Principals, Statement};

/// Members of a statement (IAM user guide, "Grammar of the IAM JSON policy language").
const STATEMENT_MEMBERS: [&str; 9] = [
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

type Members = [(String, Node)];

/// What a document holds.
pub struct Parts {
    pub version: Option<String>,
    pub id: Option<String>,
    pub statements: Vec<Statement>,
}

/// A policy document from its outermost node.
pub fn document(node: &Node) -> Result<Parts, Fault> {
    let path = Path::default();
    let members = object(node, &path)?;
    known(
        members,
        &["Version", "Id", "Statement"],
        &path,
        "a policy (Version, Id, Statement)",
    )?;
    let at = path.member("Statement");
    let statements = match member(members, "Statement") {
        Some(Node::List(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| statement(item, &at.item(index)))
            .collect::<Result<_, _>>()?,
        Some(one @ Node::Object(_)) => vec![statement(one, &at)?],
        Some(other) => {
            return Err(at.fault(format!(
                "is {}, expected a list of statements",
                other.kind()
            )));
        }
        None => return Err(path.fault("has no member Statement")),
    };
    Ok(Parts {
        version: optional_text(members, "Version", &path)?,
        id: optional_text(members, "Id", &path)?,
        statements,
    })
}

fn statement(node: &Node, path: &Path) -> Result<Statement, Fault> {
    let members = object(node, path)?;
    known(
        members,
        &STATEMENT_MEMBERS,
        path,
        "a statement (Sid, Effect, Principal, Action, Resource, Condition and the Not... forms)",
    )?;
    Ok(Statement {
        sid: optional_text(members, "Sid", path)?,
        effect: effect(members, path)?,
        principals: either(members, "Principal", path, principals)?,
        actions: either(members, "Action", path, texts)?,
        resources: either(members, "Resource", path, texts)?,
        conditions: match member(members, "Condition") {
            None => Vec::new(),
            Some(block) => conditions(block, &path.member("Condition"))?,
        },
    })
}

fn effect(members: &Members, path: &Path) -> Result<Effect, Fault> {
    let at = path.member("Effect");
    match member(members, "Effect") {
        Some(Node::Text(text)) if text == "Allow" => Ok(Effect::Allow),
        Some(Node::Text(text)) if text == "Deny" => Ok(Effect::Deny),
        Some(Node::Text(text)) => Err(at.fault(format!("is {text:?}, expected Allow or Deny"))),
        Some(other) => Err(at.fault(format!("is {}, expected Allow or Deny", other.kind()))),
        None => Err(path.fault("has no member Effect")),
    }
}

fn member<'a>(members: &'a Members, wanted: &str) -> Option<&'a Node> {
    members
        .iter()
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

fn object<'a>(node: &'a Node, path: &Path) -> Result<&'a Members, Fault> {
    match node {
        Node::Object(members) => Ok(members),
        other => Err(path.fault(format!("is {}, expected an object", other.kind()))),
    }
}

fn known(members: &Members, names: &[&str], path: &Path, of: &str) -> Result<(), Fault> {
    let unknown = members
        .iter()
        .find(|(name, _)| !names.contains(&name.as_str()));
    unknown.map_or(Ok(()), |(name, _)| {
        Err(path.member(name).fault(format!("is not a member of {of}")))
    })
}

fn optional_text(members: &Members, name: &str, path: &Path) -> Result<Option<String>, Fault> {
    match member(members, name) {
        None => Ok(None),
        Some(node) => text(node, &path.member(name)).map(Some),
    }
}

/// A member or its negated form, not both.
fn either<T>(
    members: &Members,
    name: &str,
    path: &Path,
    parse: impl Fn(&Node, &Path) -> Result<T, Fault>,
) -> Result<Option<Match<T>>, Fault> {
    let not = format!("Not{name}");
    let (negated, name, value) = match (member(members, name), member(members, &not)) {
        (None, None) => return Ok(None),
        (Some(value), None) => (false, name, value),
        (None, Some(value)) => (true, not.as_str(), value),
        (Some(_), Some(_)) => {
            let fault = format!("stands beside {name}: only one of the two can be meant");
            return Err(path.member(&not).fault(fault));
        }
    };
    let listed = parse(value, &path.member(name))?;
    Ok(Some(Match { negated, listed }))
}

fn principals(node: &Node, path: &Path) -> Result<Principals, Fault> {
    match node {
        Node::Text(all) if all == "*" => Ok([("AWS".to_owned(), vec!["*".to_owned()])].into()),
        Node::Text(other) => Err(path.fault(format!(
            "is {other:?}, expected \"*\" or an object such as {{\"AWS\": ...}}"
        ))),
        node => object(node, path)?
            .iter()
            .map(|(kind, listed)| Ok((kind.clone(), texts(listed, &path.member(kind))?)))
            .collect(),
    }
}

fn text(node: &Node, path: &Path) -> Result<String, Fault> {
    match node {
        Node::Text(text) => Ok(text.clone()),
        other => Err(path.fault(format!("is {}, expected a text", other.kind()))),
    }
}

fn texts(node: &Node, path: &Path) -> Result<Vec<String>, Fault> {
    one_or_many(node, path, text)
}

fn one_or_many<T>(
    node: &Node,
    path: &Path,
    parse: impl Fn(&Node, &Path) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    match node {
        Node::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| parse(item, &path.item(index)))
            .collect(),
        one => Ok(vec![parse(one, path)?]),
    }
}

fn conditions(node: &Node, path: &Path) -> Result<Vec<Condition>, Fault> {
    let mut conditions = Vec::new();
    for (operator, keys) in object(node, path)? {
        let path = path.member(operator);
        for (key, values) in object(keys, &path)? {
            conditions.push(Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: one_or_many(values, &path.member(key), scalar)?,
            });
        }
    }
    Ok(conditions)
}

fn scalar(node: &Node, path: &Path) -> Result<String, Fault> {
    match node {
        Node::Text(text) | Node::Number(text) => Ok(text.clone()),
        Node::Bool(value) => Ok(value.to_string()),
        other => Err(path.fault(format!(
            "is {}, expected a text, a number or a boolean",
            other.kind()
        ))),
    }
}
