//! One statement of a policy.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::json::Node;
use crate::principal_name::{account_of_root, is_deleted};

/// Allow or Deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// Gives.
    Allow,
    /// Takes, whatever else gives.
    Deny,
}

/// A list of patterns, or everything but it (`NotAction`, `NotResource`, `NotPrincipal`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Match<T> {
    /// All others than the listed ones are meant.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Statement {
    /// Its Sid, or its place in the policy.
    pub(crate) fn name(&self, index: usize) -> String {
        let sid = self.sid.clone().filter(|sid| !sid.is_empty());
        sid.unwrap_or_else(|| format!("#{index}"))
    }

    /// Whether it names this principal (the ARN of a role, a user or an account's root) and no other.
    pub(crate) fn names_only(&self, arn: &str) -> bool {
        let same = |found: &String| {
            let account = || account_of_root(arn);
            found == arn || account().is_some_and(|own| account_of_root(found) == Some(own))
        };
        self.principals.as_ref().is_some_and(|principals| {
            let mut kinds = principals.listed.iter();
            !principals.negated
                && principals.listed.values().any(|names| !names.is_empty())
                && kinds.all(|(kind, names)| kind == "AWS" && names.iter().all(same))
        })
    }

    /// Whether it names everybody, and spares nobody.
    pub(crate) fn is_for_everybody(&self) -> bool {
        self.principals.as_ref().is_some_and(|principals| {
            let aws = principals.listed.get("AWS");
            !principals.negated && aws.is_some_and(|names| names.iter().any(|name| name == "*"))
        })
    }

    /// The first principal that is the id of a deleted role or user.
    pub(crate) fn deleted_principal(&self) -> Option<&str> {
        let listed = self.principals.as_ref()?.listed.get("AWS")?;
        let mut names = listed.iter().map(String::as_str);
        names.find(|name| is_deleted(name))
    }

    /// Its principals, for messages.
    pub(crate) fn who(&self) -> String {
        let Some(Match { negated, listed }) = &self.principals else {
            return "nobody".to_owned();
        };
        let listed: Vec<_> = listed.values().flatten().map(String::as_str).collect();
        let not = if *negated { "everybody but " } else { "" };
        format!("{not}{}", listed.join(", "))
    }

    /// The statement as JSON, its members in the usual order.
    pub(crate) fn to_node(&self) -> Node {
        let mut members = Vec::new();
        let mut add = |name: &str, node| members.push((name.to_owned(), node));
        if let Some(sid) = &self.sid {
            add("Sid", Node::text(sid));
        }
        let effect = match self.effect {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        };
        add("Effect", Node::text(effect));
        if let Some(matched) = &self.principals {
            let name = if matched.negated {
                "NotPrincipal"
            } else {
                "Principal"
            };
            add(name, principals_node(&matched.listed));
        }
        if let Some(matched) = &self.actions {
            let name = if matched.negated {
                "NotAction"
            } else {
                "Action"
            };
            add(name, texts_node(&matched.listed));
        }
        if let Some(matched) = &self.resources {
            let name = if matched.negated {
                "NotResource"
            } else {
                "Resource"
            };
            add(name, texts_node(&matched.listed));
        }
        if !self.conditions.is_empty() {
            add("Condition", conditions_node(&self.conditions));
        }
        Node::Object(members)
    }
}

/// Everybody is written as `"*"`, others by kind.
pub(crate) fn principals_node(principals: &Principals) -> Node {
    let everybody =
        principals.len() == 1 && principals.get("AWS").is_some_and(|names| names == &["*"]);
    if everybody {
        return Node::text("*");
    }
    let kinds = principals
        .iter()
        .map(|(kind, names)| (kind.clone(), texts_node(names)));
    Node::Object(kinds.collect())
}

/// One text stands alone.
fn texts_node(texts: &[String]) -> Node {
    match texts {
        [one] => Node::text(one),
        many => list_node(many),
    }
}

fn list_node(texts: &[String]) -> Node {
    Node::List(texts.iter().map(Node::text).collect())
}

/// A condition block. What is compared is a list, also of one: it grows and shrinks; `Null` and `Bool` are plain.
pub(crate) fn conditions_node(conditions: &[Condition]) -> Node {
    let mut operators: Vec<(String, Node)> = Vec::new();
    for condition in conditions {
        let values = match condition.operator.as_str() {
            "Null" | "Bool" => texts_node(&condition.values),
            _ => list_node(&condition.values),
        };
        let entry = (condition.key.clone(), values);
        let known = operators
            .iter_mut()
            .find(|(operator, _)| *operator == condition.operator);
        match known {
            Some((_, Node::Object(keys))) => keys.push(entry),
            _ => operators.push((condition.operator.clone(), Node::Object(vec![entry]))),
        }
    }
    Node::Object(operators)
}
