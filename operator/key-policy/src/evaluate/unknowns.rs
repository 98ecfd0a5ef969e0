//! What is not known of a request and may decide, with examples of what it may be.

use std::collections::BTreeMap;

use super::condition::Facts;
use super::examples::{self, OTHER};
use super::fact::Fact;
use super::key_arn;
use super::pattern::{Resolved, variables};
use super::request::{Identity, Request};
use super::statements::{self, KEY_ARN};
use super::verdict::Asked;
use crate::Policy;
use crate::statement::{Condition, Effect, Statement};

/// What the name of a role's session and the IAM policies are called among the keys.
pub const SESSION: &str = "session name";
pub const IAM: &str = "IAM policies";

/// One thing that is not known, with examples of what it may be.
pub struct Unknown {
    /// A condition key as a policy writes it, [`KEY_ARN`], [`SESSION`] or [`IAM`].
    pub name: String,
    /// Values; with none the key is absent, and IAM allows nothing.
    pub examples: Vec<Vec<String>>,
    /// Whether every other value would answer as one of the examples does.
    pub exhausted: bool,
}

/// What is not known and may decide.
pub fn unknowns(asked: &Asked<'_>, request: &Request<'_>) -> Vec<Unknown> {
    let mut found = Found::default();
    found.collect(asked.policy, request);
    if let Identity::Policies(policies) = asked.identity {
        for policy in policies {
            found.collect(policy, request);
        }
    }
    let mut unknowns: Vec<_> = found.keys.into_values().map(KeyUse::unknown).collect();
    if !found.resources.is_empty() {
        let (keys, exhausted) = key_arn::examples(request.resource, &found.resources);
        unknowns.push(Unknown {
            name: KEY_ARN.to_owned(),
            examples: keys.into_iter().map(|arn| vec![arn]).collect(),
            exhausted,
        });
    }
    if !found.sessions.is_empty() {
        let names = found.sessions.iter().copied().chain([OTHER]);
        unknowns.push(Unknown {
            name: SESSION.to_owned(),
            examples: names.map(|name| vec![name.to_owned()]).collect(),
            exhausted: true,
        });
    }
    let asks_iam = matches!(asked.identity, Identity::Unknown) && !request.principal.is_root();
    if asks_iam {
        unknowns.push(Unknown {
            name: IAM.to_owned(),
            examples: vec![
                vec![format!("an IAM policy that allows {}", request.action)],
                vec![],
            ],
            exhausted: true,
        });
    }
    unknowns
}

/// What the statements that may decide compare with what is not known.
#[derive(Default)]
struct Found<'a> {
    /// By key, in lower case.
    keys: BTreeMap<String, KeyUse<'a>>,
    resources: Vec<&'a [String]>,
    sessions: Vec<&'a str>,
}

/// How policies use one key.
struct KeyUse<'a> {
    name: &'a str,
    may_be_absent: bool,
    conditions: Vec<&'a Condition>,
    /// What it is compared with where variables are replaced by what is known.
    resolved: Vec<String>,
    /// It is a variable in another condition or a resource.
    in_variables: bool,
}

impl<'a> Found<'a> {
    fn collect(&mut self, policy: &'a Policy, request: &Request<'_>) {
        let facts = Facts::of(policy, request.action, request.context);
        for effect in [Effect::Deny, Effect::Allow] {
            let applying = statements::applying(policy, request, effect, statements::Scope::Named);
            let indices: Vec<_> = applying.map(|(index, _, _)| index).collect();
            for statement in indices
                .iter()
                .filter_map(|index| policy.statements().get(*index))
            {
                self.statement(statement, request, facts);
            }
        }
    }

    fn statement(&mut self, statement: &'a Statement, request: &Request<'_>, facts: Facts<'_>) {
        for condition in &statement.conditions {
            self.key(&condition.key, facts, Some(condition));
            let known = match facts.fact(&condition.key) {
                Fact::Values(known) => known.to_vec(),
                Fact::Present | Fact::Unknown => Vec::new(),
            };
            for key in condition.values.iter().flat_map(|value| variables(value)) {
                self.key(key, facts, None);
                // What a variable is compared with is what it may have to be.
                if let Some(used) = self.keys.get_mut(&key.to_ascii_lowercase()) {
                    used.resolved.extend_from_slice(&known);
                }
            }
        }
        let resources = statement.resources.iter().map(|one| one.listed.as_slice());
        for listed in resources.filter(|listed| listed.iter().all(|one| one != "*")) {
            for key in listed.iter().flat_map(|one| variables(one)) {
                self.key(key, facts, None);
            }
            if request.resource.contains('*') {
                self.resources.push(listed);
            }
        }
        let Some(of_role) = request.principal.arn.strip_suffix('*') else {
            return;
        };
        let principals = statement
            .principals
            .iter()
            .flat_map(|one| one.listed.values());
        let sessions = principals
            .flatten()
            .filter_map(|name| name.strip_prefix(of_role));
        self.sessions.extend(sessions);
    }

    fn key(&mut self, key: &'a str, facts: Facts<'_>, condition: Option<&'a Condition>) {
        let may_be_absent = match facts.fact(key) {
            Fact::Values(_) => return,
            Fact::Present => false,
            Fact::Unknown => true,
        };
        let used = self.keys.entry(key.to_ascii_lowercase()).or_insert(KeyUse {
            name: key,
            may_be_absent,
            conditions: Vec::new(),
            resolved: Vec::new(),
            in_variables: false,
        });
        used.conditions.extend(condition);
        let values = condition
            .into_iter()
            .flat_map(|condition| &condition.values);
        for value in values.filter(|value| value.contains("${")) {
            if let Resolved::Known(pattern) = facts.pattern(value) {
                used.resolved.push(pattern.literal());
            }
        }
        used.in_variables |= condition.is_none();
    }
}

impl KeyUse<'_> {
    fn unknown(self) -> Unknown {
        let values = examples::values(&self.conditions, self.resolved);
        let exhausted = !self.in_variables && examples::stand_for_all(&self.conditions, &values);
        let mut examples: Vec<_> = values.into_iter().map(|value| vec![value]).collect();
        if self.may_be_absent {
            examples.push(Vec::new());
        }
        Unknown {
            name: self.name.to_owned(),
            examples,
            exhausted,
        }
    }
}
