//! What is not known of a request and may decide, with examples of what it may be.

use std::collections::BTreeSet;

use super::examples::{self, Examples};
use super::key_arn;
use super::request::Request;
use super::statements::KEY_ARN;
use super::told_apart::OTHER;
use super::truth::Truth;
use super::used::{KeyUse, Used};
use super::verdict::Deciding;
use crate::statement::Effect;

/// What the name of a role's session and the IAM policies are called among the keys.
const SESSION: &str = "session name";
const IAM: &str = "IAM policies";

/// What an unknown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A condition key.
    Key,
    /// The ARN of the key.
    Resource,
    /// The name of the role's session.
    Session,
    /// What IAM allows.
    Iam,
}

/// One thing that is not known, with examples of what it may be.
pub struct Unknown {
    /// What it is.
    pub what: What,
    /// A condition key as a policy writes it, or a name for what is none.
    pub name: String,
    /// Values; with none the key is absent, and IAM allows nothing.
    pub examples: Vec<Vec<String>>,
    /// Whether every other value would answer as one of the examples does.
    pub exhausted: bool,
    /// Numbers of the statements that use it.
    pub used_in: BTreeSet<usize>,
}

/// What is not known and may decide.
pub fn unknowns(deciding: &Deciding<'_>, request: &Request<'_>) -> Vec<Unknown> {
    let mut used = Used::default();
    used.collect(&deciding.of_key, request);
    used.collect(&deciding.of_iam, request);
    let known = vec![request.resource.to_owned()];
    let (arns, exhausted) = if used.resources.is_empty() {
        (known, true)
    } else {
        let instances = used.resource_instances();
        key_arn::examples(request.resource, &used.resources, &instances)
    };
    used.fit(&arns);
    let mut unknowns: Vec<_> = used.keys.into_values().map(key).collect();
    if !used.resources.is_empty() {
        unknowns.push(Unknown {
            what: What::Resource,
            name: KEY_ARN.to_owned(),
            examples: arns.into_iter().map(|arn| vec![arn]).collect(),
            exhausted,
            used_in: used.resources_in,
        });
    }
    if !used.sessions.is_empty() {
        let names = used.sessions.iter().copied().chain([OTHER]);
        unknowns.push(Unknown {
            what: What::Session,
            name: SESSION.to_owned(),
            examples: names.map(|name| vec![name.to_owned()]).collect(),
            exhausted: true,
            used_in: used.sessions_in,
        });
    }
    if deciding.iam_is_unknown && asks_iam(deciding) {
        let allows = format!("an IAM policy that allows {}", request.action);
        unknowns.push(Unknown {
            what: What::Iam,
            name: IAM.to_owned(),
            examples: vec![vec![allows], vec![]],
            exhausted: true,
            used_in: BTreeSet::new(),
        });
    }
    unknowns
}

/// Whether an Allow leaves it to IAM.
fn asks_iam(deciding: &Deciding<'_>) -> bool {
    deciding.of_key.iter().any(|one| {
        let left = one.named.by_account || (deciding.abroad && one.named.directly != Truth::No);
        left && one.statement.effect == Effect::Allow
    })
}

fn key(used: KeyUse<'_>) -> Unknown {
    let Examples {
        mut values,
        exhausted,
    } = examples::of(&used.compares(), used.more.clone(), used.in_variables);
    if used.may_be_absent {
        values.push(Vec::new());
    }
    Unknown {
        what: What::Key,
        name: used.name.to_owned(),
        examples: values,
        exhausted,
        used_in: used.used_in,
    }
}
