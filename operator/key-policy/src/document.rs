//! A policy document: kept as it was written, and understood as statements.

use std::fmt::{self, Write};

use crate::json::{self, Node};
use crate::statement::{self, Condition, Match, Principals, Statement};
use crate::{ParseError, canonical, parse};

/// A policy document. What is not understood is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    document: Node,
    version: Option<String>,
    id: Option<String>,
    statements: Vec<Statement>,
}

impl Policy {
    /// Parses a policy document.
    pub fn parse(json: &str) -> Result<Self, ParseError> {
        let document = json::read(json)?;
        let parts = parse::document(&document).map_err(|fault| ParseError::shape(json, fault))?;
        Ok(Self {
            document,
            version: parts.version,
            id: parts.id,
            statements: parts.statements,
        })
    }

    /// The policy of these statements, in the current version of the language.
    pub(crate) fn of(statements: Vec<Statement>) -> Self {
        let version = "2012-10-17";
        let nodes = statements.iter().map(Statement::to_node).collect();
        Self {
            document: Node::Object(vec![
                ("Version".to_owned(), Node::text(version)),
                ("Statement".to_owned(), Node::List(nodes)),
            ]),
            version: Some(version.to_owned()),
            id: None,
            statements,
        }
    }

    /// The document as JSON, indented. Parsing it gives this policy again.
    pub fn to_json(&self) -> String {
        self.document.to_string()
    }

    /// Bytes of the document as it would be sent.
    pub fn size(&self) -> usize {
        let mut counter = Counter(0);
        // A counter takes everything.
        let _ = write!(counter, "{}", self.document);
        counter.0
    }

    /// A bound of [`size`](Self::size), from the lengths of the texts alone.
    pub(crate) fn size_at_most(&self) -> usize {
        json::size_at_most(&self.document)
    }

    /// Whether both mean the same: order, case of actions, and a list of one do not matter.
    pub fn equivalent(&self, other: &Self) -> bool {
        self.form() == other.form()
    }

    /// One text for all policies that are [equivalent](Self::equivalent): JSON of a form of our own, to be hashed.
    pub fn canonical_text(&self) -> String {
        // Maps with keys that are no text are what JSON cannot hold, and there are none in it.
        serde_json::to_string(&self.form()).unwrap_or_default()
    }

    fn form(&self) -> canonical::Form<'_> {
        canonical::form(self.version(), self.id.as_deref(), &self.statements)
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The first statement with this Sid.
    pub fn statement(&self, sid: &str) -> Option<&Statement> {
        self.statements_named(sid).next()
    }

    /// The statements with this Sid. KMS does not promise that there is one at most.
    pub(crate) fn statements_named(&self, sid: &str) -> impl Iterator<Item = &Statement> {
        self.statements
            .iter()
            .filter(move |statement| statement.sid.as_deref() == Some(sid))
    }

    /// The language version; without one it is the first.
    pub(crate) fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("2008-10-17")
    }

    /// The same document with some statements taken out, and others in the place of those of their names, or behind all:
    /// those that stay keep their numbers, by which statements without a Sid are told.
    pub(crate) fn replacing(&self, goes: impl Fn(&Statement) -> bool, new: &[Statement]) -> Self {
        let mut changed = self.clone();
        let nodes = match statements_node(&mut changed.document) {
            Some(Node::List(items)) => std::mem::take(items),
            Some(one) => vec![std::mem::replace(one, Node::List(Vec::new()))],
            None => Vec::new(),
        };
        let found = std::mem::take(&mut changed.statements);
        let mut new: Vec<_> = new.iter().collect();
        let with_node = |statement: &Statement| (statement.clone(), statement.to_node());
        let each = found.into_iter().zip(nodes);
        let stay = each.filter_map(|(statement, node)| {
            if !goes(&statement) {
                return Some((statement, node));
            }
            let place = new.iter().position(|one| one.sid == statement.sid)?;
            Some(with_node(new.remove(place)))
        });
        let stay: Vec<_> = stay.collect();
        let all = stay.into_iter().chain(new.into_iter().map(with_node));
        let (statements, nodes): (Vec<_>, Vec<_>) = all.unzip();
        changed.statements = statements;
        if let Some(listed) = statements_node(&mut changed.document) {
            *listed = Node::List(nodes);
        }
        changed
    }

    /// The same document with other conditions in the first statement with this Sid.
    pub(crate) fn with_conditions(&self, sid: &str, conditions: Vec<Condition>) -> Self {
        let mut changed = self.clone();
        let node = statement::conditions_node(&conditions);
        if let Some(statement) = changed.change(sid, "Condition", node) {
            statement.conditions = conditions;
        }
        changed
    }

    /// The same document, of which some operators are understood as others; what is written stays.
    pub(crate) fn reading_operators(&self, read: impl Fn(&str) -> Option<String>) -> Self {
        let mut changed = self.clone();
        let statements = changed.statements.iter_mut();
        for condition in statements.flat_map(|statement| &mut statement.conditions) {
            if let Some(operator) = read(&condition.operator) {
                condition.operator = operator;
            }
        }
        changed
    }

    /// The same document with other principals in the first statement with this Sid, which names its principals.
    pub(crate) fn with_principals(&self, sid: &str, principals: Principals) -> Self {
        let mut changed = self.clone();
        let node = statement::principals_node(&principals);
        if let Some(statement) = changed.change(sid, "Principal", node) {
            let negated = false;
            let listed = principals;
            statement.principals = Some(Match { negated, listed });
        }
        changed
    }

    /// Puts another node behind a member of the first statement with this Sid; the statement is left to the caller.
    fn change(&mut self, sid: &str, member: &str, node: Node) -> Option<&mut Statement> {
        let mut statements = self.statements.iter_mut().enumerate();
        let (index, statement) =
            statements.find(|(_, statement)| statement.sid.as_deref() == Some(sid))?;
        if let Some(members) = statement_members(&mut self.document, index) {
            match members.iter_mut().find(|(name, _)| name == member) {
                Some((_, found)) => *found = node,
                None => members.push((member.to_owned(), node)),
            }
        }
        Some(statement)
    }
}

/// Counts what is written to it.
struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// What stands behind `Statement`: a list, or one statement alone.
fn statements_node(document: &mut Node) -> Option<&mut Node> {
    let Node::Object(members) = document else {
        return None;
    };
    let (_, listed) = members.iter_mut().find(|(name, _)| name == "Statement")?;
    Some(listed)
}

fn statement_members(document: &mut Node, index: usize) -> Option<&mut Vec<(String, Node)>> {
    let statement = match statements_node(document)? {
        Node::List(items) => items.get_mut(index)?,
        one => one,
    };
    match statement {
        Node::Object(members) => Some(members),
        _ => None,
    }
}
