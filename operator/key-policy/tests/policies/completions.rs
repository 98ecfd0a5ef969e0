//! What is said of requests that are known in part, compared with their completions: every one of a pool of values for each
//! unknown key.

use std::collections::{BTreeMap, BTreeSet};

use key_policy::Policy;
use key_policy::evaluate::{self, Context, Decision, Dependence, Identity, Principal, Request};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::evaluate::ACCOUNT;

/// Policies that are generated.
const CASES: usize = 60;
const ROLE: &str = "arn:aws:iam::111122223333:role/R";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/k1";

/// A condition key with what policies compare it with, and what requests may have.
struct Key {
    name: &'static str,
    operators: &'static [&'static str],
    compared: &'static [&'static str],
    found: &'static [&'static str],
}

const TEXTS: [&str; 5] = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIgnoreCase",
];

const KEYS: [Key; 4] = [
    Key {
        name: "aws:PrincipalTag/a",
        operators: &TEXTS,
        compared: &[
            "red",
            "r*",
            "*d",
            "re?",
            "RED",
            "${aws:PrincipalTag/b}",
            "x-${aws:PrincipalTag/b}",
            "*${aws:PrincipalTag/b}d",
            "${aws:PrincipalTag/b, 'red'}",
        ],
        found: &[
            "red", "Red", "rod", "r", "x-red", "blue", "bd", "k", "x-d", "other",
        ],
    },
    Key {
        name: "aws:PrincipalTag/b",
        operators: &TEXTS,
        compared: &["red", "b*", "*d", "r*", "re"],
        found: &[
            "red",
            "blue",
            "b",
            "d",
            "re",
            "r",
            "bd",
            "other",
            "rd",
            "reb",
            "RED",
            "k",
            "(another value)",
        ],
    },
    Key {
        name: "aws:TagKeys",
        operators: &[
            "ForAnyValue:StringEquals",
            "ForAllValues:StringEquals",
            "ForAnyValue:StringNotEquals",
            "ForAllValues:StringLike",
        ],
        compared: &["a", "b", "a*"],
        found: &[
            "a", "b", "ab", "c", "a+b", "a+c", "a+ab", "a+ab+b", "a+a*", "a+b+c",
        ],
    },
    Key {
        name: "aws:SourceIp",
        operators: &["IpAddress", "NotIpAddress"],
        compared: &[
            "10.0.0.0/8",
            "10.0.0.0/9",
            "10.1.0.0/16",
            "192.0.2.0/24",
            "::/0",
        ],
        found: &[
            "10.0.0.1",
            "10.1.0.1",
            "10.200.0.1",
            "192.0.2.9",
            "2001:db8::1",
        ],
    },
];

fn condition() -> impl Strategy<Value = String> {
    (0..KEYS.len()).prop_flat_map(|key| {
        let key = &KEYS[key];
        let values = prop::collection::vec(prop::sample::select(key.compared), 1..3);
        let suffix = prop::sample::select(&["", "", "IfExists"][..]);
        let compare = (prop::sample::select(key.operators), suffix, values).prop_map(
            |(operator, suffix, values)| {
                format!(r#""{operator}{suffix}":{{"{}":{values:?}}}"#, key.name)
            },
        );
        let null =
            any::<bool>().prop_map(|absent| format!(r#""Null":{{"{}":"{absent}"}}"#, key.name));
        prop_oneof![8 => compare, 1 => null]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let resource = prop::sample::select(
        &[
            "*",
            "*",
            "*",
            "arn:aws:kms:*:111122223333:key/${aws:PrincipalTag/a}1",
            "arn:aws:kms:us-east-1:111122223333:key/*",
        ][..],
    );
    let conditions = prop::collection::vec(condition(), 0..3);
    (any::<bool>(), resource, conditions).prop_map(|(allows, resource, conditions)| {
        let effect = if allows { "Allow" } else { "Deny" };
        let mut of_operator = BTreeMap::new();
        for condition in conditions {
            let operator = condition.split('"').nth(1).unwrap_or_default().to_owned();
            of_operator.insert(operator, condition);
        }
        let block = of_operator.into_values().collect::<Vec<_>>().join(",");
        format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"kms:*","Resource":"{resource}","Condition":{{{block}}}}}"#
        )
    })
}

fn policies() -> impl Strategy<Value = String> {
    prop::collection::vec(statement(), 1..4).prop_map(|mut statements| {
        // Without an Allow all is denied.
        statements[0] = statements[0].replace("Deny", "Allow");
        statements.join(",")
    })
}

fn ask(policy: &Policy, context: &Context) -> Decision {
    let principal = Principal::session(ROLE, ACCOUNT, "s");
    let request = Request {
        principal: &principal,
        action: "kms:Decrypt",
        resource: KEY,
        context,
    };
    evaluate::key_policy(policy, ACCOUNT, Identity::Policies(&[]), &request)
}

/// Every completion from a pool for each key, and the answer then.
struct Completed {
    pools: Vec<Vec<Vec<String>>>,
    answers: BTreeMap<[usize; 4], bool>,
}

impl Completed {
    /// With values for the keys that a policy compares: those of the pools, and those that were told.
    fn of(policy: &Policy, on: &[Dependence]) -> Self {
        let text = policy.to_json();
        let pools: Vec<_> = KEYS.iter().map(|key| pool(key, &text, on)).collect();
        let mut at = vec![[0; 4]];
        for (index, pool) in pools.iter().enumerate() {
            let with = |before: &[usize; 4], value: usize| {
                let mut at = *before;
                at[index] = value;
                at
            };
            let all = at.iter();
            at = all
                .flat_map(|before| (0..pool.len()).map(move |value| with(before, value)))
                .collect();
        }
        let answer = |at: &[usize; 4]| {
            let values = pools
                .iter()
                .zip(at)
                .map(|(pool, value)| pool[*value].clone());
            let keys = KEYS.iter().map(|key| key.name.to_lowercase()).zip(values);
            ask(policy, &Context::complete(keys.collect())).is_allowed()
        };
        let answers = at.into_iter().map(|at| (at, answer(&at))).collect();
        Self { pools, answers }
    }

    /// Whether the answer turns between these values of a key, or between any.
    fn turns(&self, key: usize, between: Option<(&[String], &[String])>) -> bool {
        let place = |values: &[String]| self.pools[key].iter().position(|one| one == values);
        let between =
            between.map(|(allowed, denied)| (place(allowed).unwrap(), place(denied).unwrap()));
        self.answers.iter().any(|(at, allowed)| {
            let beside = |value: usize| {
                let mut at = *at;
                at[key] = value;
                self.answers[&at]
            };
            match between {
                Some((one, other)) => at[key] == one && *allowed && !beside(other),
                None => (0..self.pools[key].len()).any(|other| beside(other) != *allowed),
            }
        })
    }
}

/// Values that a key may have in a policy of this text.
fn pool(key: &Key, text: &str, on: &[Dependence]) -> Vec<Vec<String>> {
    let mut values = BTreeSet::from([vec![]]);
    if !text.contains(key.name) {
        return values.into_iter().collect();
    }
    let own = |name: &'static str| {
        let own = on.iter().filter(move |one| one.key == name);
        own.flat_map(|one| [&one.allowed, &one.denied])
            .flatten()
            .cloned()
    };
    let set = |text: &&str| text.split('+').map(str::to_owned).collect::<Vec<_>>();
    values.extend(key.found.iter().map(set));
    // A star is one character of a text where the operator takes no wildcards.
    let literal = |one: &&&str| !one.contains("${") && !one.contains('/');
    values.extend(key.compared.iter().filter(literal).map(set));
    values.extend(own(key.name));
    if key.name == KEYS[0].name {
        // What patterns make of the other tag.
        let named = ["r*", "b*", "*d", "(another value)"].map(str::to_owned);
        for other in own(KEYS[1].name).flatten().chain(named) {
            let made = ["x-", "*", "red"].map(|before| format!("{before}{other}d"));
            values.extend(made.map(|one| vec![one]));
            values.extend([vec![format!("x-{other}")], vec![other]]);
        }
    }
    values.into_iter().collect()
}

/// What is wrong with what is said of these statements, and for which keys there is no value where none turns the answer.
fn faults(statements: &str) -> (Vec<String>, usize) {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let policy = &Policy::parse(&text).unwrap();
    let decision = ask(policy, &Context::open());
    let on = match &decision {
        Decision::Depends { on, .. } => on.as_slice(),
        _ => &[],
    };
    let completed = Completed::of(policy, on);
    let (mut faults, mut unproven) = (Vec::new(), 0);
    let answers = completed.answers.values().collect::<BTreeSet<_>>();
    if decision.is_allowed() && answers.contains(&false)
        || decision.is_denied() && answers.contains(&true)
    {
        faults.push("it depends".to_owned());
    }
    for (index, key) in KEYS.iter().enumerate() {
        let told = on.iter().find(|one| one.key == key.name);
        let values = told.and_then(|one| Some((one.allowed.as_deref()?, one.denied.as_deref()?)));
        match (values, completed.turns(index, values)) {
            (Some((allowed, denied)), false) => {
                faults.push(format!(
                    "{} does not turn by {allowed:?} and {denied:?}",
                    key.name
                ));
            }
            (None, true) => faults.push(format!("{} turns, and {told:?} is said", key.name)),
            (None, false) => unproven += usize::from(told.is_some()),
            (Some(_), true) => {}
        }
    }
    (faults, unproven)
}

/// Every key that turns the answer is told with values that turn it. Few keys are told for which no value turns it.
#[test]
fn what_an_answer_depends_on_turns_it() {
    let mut runner = TestRunner::deterministic();
    let (mut wrong, mut unproven) = (Vec::new(), 0);
    for _ in 0..CASES {
        let statements = policies().new_tree(&mut runner).unwrap().current();
        let (faults, open) = faults(&statements);
        if !faults.is_empty() {
            wrong.push(format!("{faults:?}: {statements}"));
        }
        unproven += usize::from(open > 0);
        if open > 0 {
            println!("unproven: {statements}");
        }
    }
    println!("{CASES} policies, {unproven} with a key of which nothing is proven");
    assert!(
        wrong.is_empty(),
        "{} of {CASES}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(unproven < CASES / 20, "{unproven} of {CASES}");
}
