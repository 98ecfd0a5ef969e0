//! What is not known of a request and may decide, with examples of what it may be.

use std::collections::BTreeMap;

use super::condition::{Facts, Operator};
use super::fact::Fact;
use super::pattern::{Pattern, Resolved, variables};
use super::request::{Identity, Request};
use super::statements::{self, KEY_ARN};
use super::verdict::Asked;
use crate::Policy;
use crate::arn::Arn;
use crate::statement::{Condition, Effect, Statement};

/// A value that a policy does not name.
const OTHER: &str = "(another value)";
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
        unknowns.push(key_arn(request.resource, &found.resources));
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
    resources: Vec<&'a str>,
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
            for key in condition.values.iter().flat_map(|value| variables(value)) {
                self.key(key, facts, None);
            }
        }
        let resources = statement.resources.iter().flat_map(|one| &one.listed);
        for one in resources.filter(|one| *one != "*") {
            for key in variables(one) {
                self.key(key, facts, None);
            }
            if request.resource.contains('*') {
                self.resources.push(one);
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
        let mut values: Vec<String> = Vec::new();
        let mut add = |value: String| {
            if !values.contains(&value) {
                values.push(value);
            }
        };
        self.resolved.into_iter().for_each(&mut add);
        let mut equalities: Vec<&str> = Vec::new();
        let mut exhausted = !self.in_variables;
        for condition in &self.conditions {
            let Some(operator) = Operator::parse(&condition.operator) else {
                continue;
            };
            for value in &condition.values {
                examples(operator.name, value)
                    .into_iter()
                    .for_each(&mut add);
                exhausted &= !value.contains("${");
            }
            equalities.push(
                operator
                    .name
                    .trim_start_matches("StringNot")
                    .trim_start_matches("String"),
            );
            let is_equality =
                ["Equals", "EqualsIgnoreCase", "Bool"].contains(equalities.last().unwrap_or(&""));
            exhausted &= is_equality && !operator.is_of_sets();
        }
        // Minding the case and not minding it tell more values apart.
        exhausted &= equalities.windows(2).all(|pair| pair[0] == pair[1]);
        // Another text is no value of a key that is a number, a date, an address or a boolean.
        if !self.conditions.iter().any(|condition| is_typed(condition)) {
            add(OTHER.to_owned());
        }
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

/// Whether an operator is for values of one kind, of which `examples` has those that it tells apart.
fn is_typed(condition: &Condition) -> bool {
    let Some(operator) = Operator::parse(&condition.operator) else {
        return false;
    };
    let name = operator.name;
    name == "Bool"
        || name.starts_with("Numeric")
        || name.starts_with("Date")
        || name.contains("IpAddress")
}

/// Values that an operator tells apart by one of a policy's.
fn examples(operator: &str, value: &str) -> Vec<String> {
    let number = || {
        value
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
    };
    if operator == "Bool" {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    if operator.starts_with("Numeric") {
        let near = number().map(|number| [number, number - 1.0, number + 1.0]);
        return near
            .into_iter()
            .flatten()
            .map(|number| number.to_string())
            .collect();
    }
    if operator.starts_with("Date") {
        let mut dates = vec![value.to_owned()];
        dates.extend(["1970-01-02T00:00:00Z", "9999-01-01T00:00:00Z"].map(str::to_owned));
        return dates;
    }
    if operator.contains("IpAddress") {
        let base = value.split('/').next().unwrap_or_default().to_owned();
        let far = ["192.0.2.1", "203.0.113.201", "2001:db8:ffff::1"].map(str::to_owned);
        return [base].into_iter().chain(far).collect();
    }
    let pattern = Pattern::plain(value);
    let wild = operator.contains("Like") || operator.starts_with("Arn");
    if wild && !pattern.is_literal() {
        return vec![pattern.example('x')];
    }
    vec![value.to_owned()]
}

/// Keys that the resources of a policy tell apart.
fn key_arn(resource: &str, patterns: &[&str]) -> Unknown {
    let own: Vec<_> = resource.splitn(6, ':').collect();
    let (mut regions, mut keys) = (vec!["us-east-1", "eu-west-1"], vec!["key/another"]);
    for arn in patterns.iter().filter_map(|pattern| Arn::parse(pattern)) {
        for (part, known) in [(arn.region, &mut regions), (arn.resource, &mut keys)] {
            if !part.contains(['*', '?', '$']) && !known.contains(&part) {
                known.insert(0, part);
            }
        }
    }
    let mut examples = Vec::new();
    for key in &keys {
        for region in &regions {
            let part = |index: usize, of: &str| {
                let own = own.get(index).copied().unwrap_or("*");
                if own.contains('*') {
                    of.to_owned()
                } else {
                    own.to_owned()
                }
            };
            let head = own.get(..3).map(|head| head.join(":")).unwrap_or_default();
            let account = own.get(4).copied().unwrap_or_default();
            let arn = format!("{head}:{}:{account}:{}", part(3, region), part(5, key));
            let fits = Pattern::plain(resource).matches(&arn);
            if fits && !examples.contains(&vec![arn.clone()]) {
                examples.push(vec![arn]);
            }
        }
    }
    Unknown {
        name: KEY_ARN.to_owned(),
        examples,
        exhausted: false,
    }
}
