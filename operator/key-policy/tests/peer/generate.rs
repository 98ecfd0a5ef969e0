//! Policies and requests from a seed: the same ones on every machine.

use serde_json::{Map, Value, json};

use crate::ACCOUNT;
use crate::pools::{self, KEYS, Key, OPERATORS};

/// One question, in the form in which the peer reads it.
#[derive(Clone, Debug)]
pub struct Case {
    pub policy: Value,
    pub identity: Vec<Value>,
    pub principal: &'static str,
    pub action: &'static str,
    pub resource: &'static str,
    pub context: Map<String, Value>,
    /// Keys that are not known: they are not in the context, and the peer is asked with each of several values.
    pub unknown: Vec<&'static Key>,
    /// What follows from the question, where that is left to the evaluator: the peer is told.
    pub derived: Option<Map<String, Value>>,
}

impl Case {
    pub fn to_json(&self) -> Value {
        self.completed(&Map::new())
    }

    /// The case with values for the keys that are not known.
    pub fn completed(&self, more: &Map<String, Value>) -> Value {
        let mut context = self.context.clone();
        context.extend(
            self.derived
                .iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        context.extend(more.clone());
        json!({
            "policy": self.policy, "identity": self.identity, "principal": self.principal,
            "action": self.action, "resource": self.resource, "account": ACCOUNT, "context": context,
        })
    }

    /// Whether the operation is offered to the key's own account only: the peer does not know, so it is not asked.
    pub fn is_abroad(&self) -> bool {
        let own_only = pools::OWN_ACCOUNT_ONLY.contains(&self.action);
        own_only && !self.is_of_service() && !self.principal.contains(ACCOUNT)
    }

    /// Whether an AWS service asks, which has neither an account nor IAM policies.
    pub fn is_of_service(&self) -> bool {
        pools::SERVICES.contains(&self.principal)
    }
}

/// `splitmix64`: a few lines, and the same numbers everywhere.
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, pool: &[&'a T]) -> &'a T {
        pool[self.below(pool.len())]
    }
}

/// A question about a policy that is made up, or about the template's own.
pub fn case(rng: &mut Rng, templates: &[Value]) -> Case {
    let mut case = Case {
        policy: json!(null),
        identity: identities(rng),
        principal: rng.pick(&pools::PRINCIPALS),
        action: rng.pick(&pools::ACTIONS),
        resource: rng.pick(&pools::RESOURCES),
        context: context(rng),
        unknown: vec![],
        derived: None,
    };
    // A request that cannot carry an attestation has none.
    if !pools::ATTESTING.contains(&case.action) {
        case.context
            .retain(|key, _| !key.contains("RecipientAttestation"));
    }
    if rng.one_in(4) {
        for _ in 0..=rng.below(2) {
            let key = pools::open_keys()[rng.below(pools::open_keys().len())];
            if !case.unknown.iter().any(|known| known.name == key.name) {
                case.context.remove(key.name);
                case.unknown.push(key);
            }
        }
    }
    if rng.one_in(400) {
        // Nobody attaches IAM policies to an account's root.
        case.principal = pools::ROOT;
        case.identity = vec![];
    }
    case.policy = if rng.one_in(6) {
        templates[rng.below(templates.len())].clone()
    } else {
        policy(rng, true, &case)
    };
    case
}

/// A question whose policy asks for what follows from it, which only the peer is told; keys with several values may be open.
pub fn derived_case(rng: &mut Rng, templates: &[Value]) -> Case {
    let mut case = case(rng, templates);
    case.context.retain(|key, _| !pools::is_derived(key));
    case.unknown.retain(|key| !pools::is_derived(key.name));
    case.derived = Some(pools::derived(case.principal, case.resource));
    ask_for(rng, &mut case.policy, &pools::DERIVED);
    case
}

/// A question of an AWS service: statements name it, other services or everybody, and half of them ask for what follows
/// from that.
pub fn service_case(rng: &mut Rng, templates: &[Value]) -> Case {
    let mut case = case(rng, templates);
    case.principal = rng.pick(&pools::SERVICES);
    case.identity = vec![];
    for statement in case.policy["Statement"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        for name in ["Principal", "NotPrincipal"] {
            if !statement[name].is_null() && rng.one_in(2) {
                statement[name] = json!({"Service": listed(rng, &pools::SERVICE_NAMES)});
                if rng.one_in(4) {
                    statement[name]["AWS"] = listed(rng, &pools::PRINCIPAL_NAMES);
                }
            }
        }
    }
    if rng.one_in(2) {
        case.context.retain(|key, _| !pools::is_derived(key));
        case.unknown.retain(|key| !pools::is_derived(key.name));
        case.derived = Some(pools::derived_of_service(case.principal, case.resource));
        ask_for(rng, &mut case.policy, &pools::OF_SERVICES);
    }
    case
}

/// Half of the statements ask for one of these keys, too.
fn ask_for(rng: &mut Rng, policy: &mut Value, keys: &[Key]) {
    for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
        if rng.one_in(2) {
            let key = &keys[rng.below(keys.len())];
            let operator = operator(rng, key);
            if statement["Condition"].is_null() {
                statement["Condition"] = json!({});
            }
            let values = match operator.as_str() {
                "Null" => json!("false"),
                _ => listed(rng, key.values),
            };
            statement["Condition"][operator] = json!({ key.name: values });
        }
    }
}

fn identities(rng: &mut Rng) -> Vec<Value> {
    if rng.one_in(3) {
        let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        return vec![all];
    }
    let dummy = Case {
        policy: json!(null),
        identity: vec![],
        principal: pools::PRINCIPALS[0],
        action: rng.pick(&pools::ACTIONS),
        resource: pools::RESOURCES[0],
        context: Map::new(),
        unknown: vec![],
        derived: None,
    };
    let count = rng.below(3);
    (0..count).map(|_| policy(rng, false, &dummy)).collect()
}

fn policy(rng: &mut Rng, with_principals: bool, about: &Case) -> Value {
    let count = 1 + rng.below(3);
    let statements: Vec<_> = (0..count)
        .map(|_| statement(rng, with_principals, about))
        .collect();
    let version = if rng.one_in(20) {
        "2008-10-17"
    } else {
        "2012-10-17"
    };
    json!({"Version": version, "Statement": statements})
}

fn statement(rng: &mut Rng, with_principals: bool, about: &Case) -> Value {
    let mut members = Map::new();
    let allow = rng.below(3) > 0;
    let effect = if allow { "Allow" } else { "Deny" };
    members.insert("Effect".into(), effect.into());
    if with_principals {
        // AWS does not take an Allow with NotPrincipal in new policies, but evaluates it.
        let name = if rng.one_in(150) {
            "NotPrincipal"
        } else {
            "Principal"
        };
        members.insert(name.into(), principals(rng));
    }
    let name = if rng.one_in(8) { "NotAction" } else { "Action" };
    let mut actions = listed(rng, &pools::ACTION_PATTERNS);
    if rng.below(3) == 0 {
        actions = about.action.into();
    }
    members.insert(name.into(), actions);
    let name = if rng.one_in(12) {
        "NotResource"
    } else {
        "Resource"
    };
    let resources = if rng.below(3) > 0 {
        json!("*")
    } else {
        listed(rng, &pools::RESOURCE_PATTERNS)
    };
    members.insert(name.into(), resources);
    let conditions = conditions(rng, about);
    if !conditions.is_empty() {
        members.insert("Condition".into(), conditions.into());
    }
    members.into()
}

fn principals(rng: &mut Rng) -> Value {
    match rng.below(5) {
        0 => json!("*"),
        1 => json!({"AWS": "*"}),
        _ => json!({"AWS": listed(rng, &pools::PRINCIPAL_NAMES)}),
    }
}

fn listed(rng: &mut Rng, pool: &[&str]) -> Value {
    let count = 1 + rng.below(2);
    if count == 1 && rng.one_in(2) {
        return rng.pick(pool).into();
    }
    (0..count).map(|_| Value::from(rng.pick(pool))).collect()
}

fn conditions(rng: &mut Rng, about: &Case) -> Map<String, Value> {
    let mut block = Map::new();
    let count = [0, 1, 1, 1, 2][rng.below(5)];
    for _ in 0..count {
        // What is not known is asked for often, or it would never decide.
        let key = match about.unknown.as_slice() {
            [] => &KEYS[rng.below(KEYS.len())],
            unknown if rng.one_in(2) => unknown[rng.below(unknown.len())],
            _ => &KEYS[rng.below(KEYS.len())],
        };
        let operator = operator(rng, key);
        let entry = block.entry(operator.clone()).or_insert_with(|| json!({}));
        let spelling = if rng.one_in(6) {
            key.name.to_lowercase()
        } else {
            key.name.to_owned()
        };
        let values = values(rng, key, &operator, about);
        // Two spellings of one key would be two members, whose order readers may lose.
        let twice = entry
            .as_object()
            .unwrap()
            .keys()
            .any(|known| known.eq_ignore_ascii_case(key.name));
        if !twice {
            entry.as_object_mut().unwrap().insert(spelling, values);
        }
    }
    block
}

/// An operator of the key's own kind, or (rarely) of any; sets need a quantifier.
fn operator(rng: &mut Rng, key: &Key) -> String {
    if rng.one_in(8) {
        return "Null".to_owned();
    }
    let name = loop {
        let (kind, name) = OPERATORS[rng.below(OPERATORS.len())];
        if kind == key.kind || rng.one_in(4000) {
            break name;
        }
    };
    let quantifier = match (key.many, rng.below(4)) {
        (true, 0 | 1) | (false, 0) => "ForAnyValue:",
        (true, _) | (false, 1) => "ForAllValues:",
        _ => "",
    };
    let often = if quantifier == "ForAnyValue:" { 40 } else { 4 };
    let if_exists = if rng.one_in(often) { "IfExists" } else { "" };
    format!("{quantifier}{name}{if_exists}")
}

fn values(rng: &mut Rng, key: &Key, operator: &str, about: &Case) -> Value {
    if operator == "Null" {
        return match rng.below(4) {
            0 => json!(true),
            1 => json!("true"),
            2 => json!("false"),
            _ => json!(false),
        };
    }
    // Half of the values are the request's own, or next to nothing would match.
    let own = about.context.get(key.name).filter(|_| rng.one_in(2));
    let own = own.map(|own| match own {
        Value::Array(many) => many[0].clone(),
        one => one.clone(),
    });
    if !key.rare.is_empty() && rng.one_in(60) {
        return rng.pick(key.rare).into();
    }
    match (own, rng.below(3)) {
        (Some(own), 0) => own,
        (Some(own), _) => json!([own, rng.pick(key.values)]),
        (None, _) => listed(rng, key.values),
    }
}

fn context(rng: &mut Rng) -> Map<String, Value> {
    let mut context = Map::new();
    for key in &KEYS {
        if rng.one_in(3) {
            continue;
        }
        let value = if key.many {
            let count = 1 + rng.below(3);
            (0..count)
                .map(|_| Value::from(rng.pick(key.found)))
                .collect()
        } else {
            rng.pick(key.found).into()
        };
        context.insert(key.name.into(), value);
    }
    context
}
