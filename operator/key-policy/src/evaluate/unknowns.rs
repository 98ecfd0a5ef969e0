//! What is not known of a request and may decide, with examples of what it may be.

use std::collections::BTreeSet;

use super::compared;
use super::examples::{self, Examples, StandFor};
use super::key_arn;
use super::request::Request;
use super::statements::{KEY_ARN, SESSION_NAME};
use super::told_apart::OTHER;
use super::truth::Truth;
use super::used::{KeyUse, Used};
use super::verdict::Deciding;
use crate::statement::Effect;

/// What the IAM policies are called among the keys.
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
    /// For which other values the examples stand.
    pub stand_for: StandFor,
    /// What a variable compares it with, by index.
    pub compared_with: Vec<usize>,
    /// Numbers of the statements that use it.
    pub used_in: BTreeSet<usize>,
}

/// What is not known and may decide.
pub fn unknowns(deciding: &Deciding<'_>, request: &Request<'_>) -> Vec<Unknown> {
    let mut used = Used::default();
    used.collect(&deciding.of_key, request);
    used.collect(&deciding.of_iam, request);
    let known = vec![request.resource.to_owned()];
    let (arns, all_arns) = if used.resources.is_empty() {
        (known, true)
    } else {
        let instances = used.resource_instances();
        key_arn::examples(request.resource, &used.resources, &instances)
    };
    used.fit(&arns);
    compared::tell(&mut used.keys, &used.compared_by);
    // Nearly always no variable compares them with each other.
    let compared = used.keys.values().any(|one| !one.compared_with.is_empty());
    let each = used.keys.iter().filter(|_| compared);
    let (names, beside): (Vec<_>, Vec<_>) = each
        .map(|(name, used)| (name.clone(), used.compared_with.clone()))
        .unzip();
    let mut unknowns: Vec<_> = used.keys.into_values().map(key).collect();
    if !used.resources.is_empty() {
        let stand_for = if all_arns {
            StandFor::All
        } else {
            StandFor::Themselves
        };
        let arns = arns.into_iter().map(|arn| vec![arn]).collect();
        let resource = beside_keys(What::Resource, KEY_ARN, arns, used.resources_in);
        unknowns.push(Unknown {
            stand_for,
            ..resource
        });
    }
    if !used.sessions.is_empty() {
        let names = used.sessions.iter().copied().chain([OTHER]);
        let names = names.map(|name| vec![name.to_owned()]).collect();
        let session = beside_keys(What::Session, SESSION_NAME, names, used.sessions_in);
        unknowns.push(session);
    }
    if deciding.iam_is_unknown && asks_iam(deciding) {
        let allows = format!("an IAM policy that allows {}", request.action);
        let examples = vec![vec![allows], vec![]];
        unknowns.push(beside_keys(What::Iam, IAM, examples, BTreeSet::new()));
    }
    // The key's ARN follows the keys where it is unknown.
    let place = |name: &String| {
        names
            .iter()
            .position(|one| one == name)
            .unwrap_or(names.len())
    };
    for (unknown, beside) in unknowns.iter_mut().zip(&beside) {
        unknown.compared_with = beside.iter().map(place).collect();
    }
    unknowns
}

/// Something that is no condition key.
fn beside_keys(
    what: What,
    name: &str,
    examples: Vec<Vec<String>>,
    used_in: BTreeSet<usize>,
) -> Unknown {
    Unknown {
        what,
        name: name.to_owned(),
        examples,
        stand_for: StandFor::All,
        compared_with: Vec::new(),
        used_in,
    }
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
        stand_for,
    } = examples::of(&used.compares(), used.more.clone(), used.in_variables);
    if used.may_be_absent {
        values.push(Vec::new());
    }
    Unknown {
        what: What::Key,
        name: used.name.to_owned(),
        examples: values,
        stand_for: if used.alone_in_variables {
            StandFor::Themselves
        } else {
            stand_for
        },
        compared_with: Vec::new(),
        used_in: used.used_in,
    }
}
