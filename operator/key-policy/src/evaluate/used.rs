//! What the statements that may decide compare with what is not known.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::candidates::Candidate;
use super::condition::Facts;
use super::examples;
use super::fact::Fact;
use super::outcomes::{compares_texts, patterns, takes_wildcards};
use super::overlap;
use super::pattern::{has_variable, variables};
use super::request::Request;
use super::told_apart::OTHER;
use super::truth::Truth;
use super::variables::{WithVariables, resolved};
use crate::statement::{Condition, Statement};

/// Patterns with variables of which examples are made, and values that are looked for of one key.
const MOST_PATTERNS: usize = 64;
const MOST_VALUES: usize = 16;
/// Named values of a key that are put in a variable's place, or compared with it.
const MOST_NAMED: usize = 4;
/// What a variable in a key's ARN is where it is invented: another key than those that are named.
const ANOTHER: &str = "another";

/// What the key's ARN is called among what variables compare; no condition key has that name.
pub const RESOURCE: &str = "";

/// What is used of what is not known.
#[derive(Default)]
pub struct Used<'a> {
    /// By key, in lower case.
    pub keys: BTreeMap<String, KeyUse<'a>>,
    /// Lists of resources that the key is in or not.
    pub resources: Vec<&'a [String]>,
    /// Statements with such a list, and with sessions of the role.
    pub resources_in: BTreeSet<usize>,
    /// Names of sessions.
    pub sessions: Vec<&'a str>,
    /// Likewise.
    pub sessions_in: BTreeSet<usize>,
    patterns: Vec<(WithVariables<'a>, With<'a>)>,
    /// Patterns whose values are not all known, each with what it is compared with, where that is unknown.
    pub compared_by: Vec<(&'a str, Option<&'a str>)>,
    statements: usize,
}

/// How policies use one key.
pub struct KeyUse<'a> {
    /// As a policy writes it.
    pub name: &'a str,
    /// Whether the request may lack it.
    pub may_be_absent: bool,
    /// What compares it, with variables replaced as far as they are known.
    conditions: Vec<Cow<'a, Condition>>,
    /// Values that it may have to have for a pattern with variables to match.
    pub more: Vec<String>,
    /// It is a variable in another condition or a resource.
    pub in_variables: bool,
    /// So it is where nothing else is unknown, and not all of its values are known that matter there.
    pub alone_in_variables: bool,
    /// What else is unknown where a variable compares it, in lower case.
    pub compared_with: BTreeSet<String>,
    /// Statements that use it.
    pub used_in: BTreeSet<usize>,
}

impl KeyUse<'_> {
    /// What compares it.
    pub fn compares(&self) -> Vec<&Condition> {
        self.conditions.iter().map(AsRef::as_ref).collect()
    }
}

/// What a pattern is compared with.
enum With<'a> {
    /// Values that are known.
    Known(Vec<String>),
    /// A key that is not.
    Key(&'a str),
    /// The key's ARN.
    Resource,
}

impl<'a> Used<'a> {
    /// Looks through the statements that may decide about a request.
    pub fn collect(&mut self, candidates: &'a [Candidate<'a>], request: &Request<'_>) {
        for candidate in candidates {
            self.statements += 1;
            self.conditions(candidate);
            if candidate.resource == Truth::Unknown {
                self.resources(candidate, request);
            }
            self.sessions(candidate.statement, request);
        }
    }

    fn conditions(&mut self, candidate: &'a Candidate<'a>) {
        let facts = candidate.facts;
        for condition in candidate.open.iter().copied() {
            let compares = resolved(condition, facts);
            self.key(&condition.key, facts, Some(compares));
            for value in condition.values.iter().filter(|one| has_variable(one)) {
                let with = match facts.fact(&condition.key) {
                    Fact::Values(known) => With::Known(known.to_vec()),
                    Fact::Present | Fact::Unknown => With::Key(&condition.key),
                };
                let pattern = WithVariables {
                    pattern: value,
                    facts,
                    wildcards: takes_wildcards(condition),
                };
                let comparison = match &with {
                    With::Known(known) if compares_texts(condition) => match known.as_slice() {
                        [one] => pattern.comparison(one),
                        _ => None,
                    },
                    _ => None,
                };
                self.pattern(pattern, with, comparison);
            }
        }
    }

    fn resources(&mut self, candidate: &'a Candidate<'a>, request: &Request<'_>) {
        let facts = candidate.facts;
        let Some(resources) = &candidate.statement.resources else {
            return;
        };
        let listed = resources.listed.as_slice();
        let known = !request.resource.contains('*');
        if !known {
            self.resources.push(listed);
            self.resources_in.insert(self.statements);
        }
        for one in listed.iter().filter(|one| has_variable(one)) {
            let pattern = WithVariables {
                pattern: one,
                facts,
                wildcards: true,
            };
            let comparison = known.then(|| pattern.comparison(request.resource));
            self.pattern(pattern, With::Resource, comparison.flatten());
        }
    }

    fn sessions(&mut self, statement: &'a Statement, request: &Request<'_>) {
        let Some(of_role) = request.principal.arn.strip_suffix('*') else {
            return;
        };
        let principals = statement
            .principals
            .iter()
            .flat_map(|one| one.listed.values());
        let before = self.sessions.len();
        let sessions = principals
            .flatten()
            .filter_map(|name| name.strip_prefix(of_role));
        self.sessions.extend(sessions);
        if self.sessions.len() > before {
            self.sessions_in.insert(self.statements);
        }
    }

    /// A pattern with variables, and what it compares with the only one that is not known.
    fn pattern(
        &mut self,
        pattern: WithVariables<'a>,
        with: With<'a>,
        comparison: Option<Condition>,
    ) {
        if !pattern.facts.has_variables() {
            return;
        }
        if comparison.is_none() {
            let with = match with {
                With::Key(key) => Some(key),
                With::Resource if !self.resources.is_empty() => Some(RESOURCE),
                With::Known(_) | With::Resource => None,
            };
            self.compared_by.push((pattern.pattern, with));
        }
        let mut comparison: Option<Cow<'_, Condition>> = comparison.map(Cow::Owned);
        for key in variables(pattern.pattern) {
            let own = comparison.take_if(|one| one.key.eq_ignore_ascii_case(key));
            self.key(key, pattern.facts, own);
        }
        if self.patterns.len() < MOST_PATTERNS {
            self.patterns.push((pattern, with));
        }
    }

    fn key(&mut self, key: &'a str, facts: Facts<'_>, condition: Option<Cow<'a, Condition>>) {
        let may_be_absent = match facts.fact(key) {
            Fact::Values(_) => return,
            Fact::Present => false,
            Fact::Unknown => true,
        };
        let used = self.keys.entry(key.to_ascii_lowercase()).or_insert(KeyUse {
            name: key,
            may_be_absent,
            conditions: Vec::new(),
            more: Vec::new(),
            in_variables: false,
            alone_in_variables: false,
            compared_with: BTreeSet::new(),
            used_in: BTreeSet::new(),
        });
        used.in_variables |= condition.is_none();
        used.conditions.extend(condition);
        used.used_in.insert(self.statements);
    }

    /// Keys that resources with variables name, where the variables are invented.
    pub fn resource_instances(&self) -> Vec<String> {
        let patterns = self.patterns.iter();
        let of_resources = patterns.filter(|(_, with)| matches!(with, With::Resource));
        let instances = of_resources.filter_map(|(pattern, _)| {
            pattern.instance(|key, _| {
                let named = self.texts(key).into_iter().next();
                named.unwrap_or_else(|| ANOTHER.to_owned())
            })
        });
        instances.collect()
    }

    /// Finds values for variables and for what is compared with them. The `resources` are what the key's ARN may be.
    pub fn fit(&mut self, resources: &[String]) {
        let mut patterns = std::mem::take(&mut self.patterns);
        // What is found for a key is compared with its own patterns, which therefore come last.
        patterns.sort_by_key(|(_, with)| matches!(with, With::Key(_)));
        for (pattern, with) in patterns {
            let texts = match with {
                With::Known(texts) => texts,
                With::Resource => resources.to_vec(),
                With::Key(key) => self.compared(key, &pattern),
            };
            for variable in variables(pattern.pattern) {
                for text in texts.iter().take(MOST_VALUES) {
                    self.add(variable, pattern.fitting(variable, text));
                }
            }
        }
    }

    /// Values of a key that is compared with a pattern with variables.
    fn compared(&mut self, key: &str, pattern: &WithVariables<'_>) -> Vec<String> {
        let common = self.common(key, pattern);
        let used = self.keys.get(&key.to_ascii_lowercase());
        let more = used.into_iter().flat_map(|used| used.more.iter().cloned());
        let texts = common.iter().cloned().chain(more).chain(self.texts(key));
        let texts = texts.collect();
        self.add(key, common);
        for nth in 0..=MOST_NAMED {
            let instance = pattern.instance(|key, default| {
                let mut named = self.texts(key);
                named.extend(default);
                named.push(OTHER.to_owned());
                named.swap_remove(nth.min(named.len() - 1))
            });
            self.add(key, instance);
        }
        texts
    }

    /// Some texts that policies tell apart for a key.
    fn texts(&self, key: &str) -> Vec<String> {
        let used = self.keys.get(&key.to_ascii_lowercase());
        let mut texts = used.map_or_else(Vec::new, |used| examples::texts(&used.compares()));
        texts.truncate(MOST_NAMED);
        texts
    }

    /// Some texts that a pattern with variables matches, and one that a policy has for the key that it is compared with.
    fn common(&self, key: &str, pattern: &WithVariables<'_>) -> Vec<String> {
        let opened = pattern.opened();
        let used = self.keys.get(&key.to_ascii_lowercase());
        let conditions = used.into_iter().flat_map(|used| &used.conditions);
        let patterns = conditions.flat_map(|condition| patterns(condition));
        let common = patterns.filter_map(|one| overlap::common(opened.as_ref()?, &one, 'x'));
        common.take(MOST_NAMED).collect()
    }

    fn add(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        if let Some(used) = self.keys.get_mut(&key.to_ascii_lowercase()) {
            for value in values {
                if used.more.len() < MOST_VALUES && !used.more.contains(&value) {
                    used.more.push(value);
                }
            }
        }
    }
}
