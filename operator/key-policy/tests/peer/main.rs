//! The evaluator against an independent one: `@cloud-copilot/iam-simulate`, in node.
//!
//! `make policy-peer` installs it and runs this. What both answer differently is in
//! `tests/key-policy-peer/disagreements.json`, each with the reason; a difference that is not there
//! fails the test, and so does one that is there and is none any more.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod distribution;
mod generate;
mod pools;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use key_policy::evaluate::{self, Context, Decision, Identity, Principal, Request};
use key_policy::{Policy, Template};
use measurement::{Measurement, Pcr};
use serde_json::{Map, Value};

use generate::{Case, Rng};
use pools::KEYS;

const ACCOUNT: &str = "111122223333";
const CASES: usize = 20_000;
/// More, in which what follows from the question is given to the peer and not to us.
const DERIVED: usize = 4_000;
/// More of AWS services.
const OF_SERVICES: usize = 4_000;
const SEED: u64 = 5;
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// What both evaluators are known to answer differently.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Disagreements {
    causes: BTreeMap<String, Cause>,
    cases: Vec<Disagreement>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cause {
    /// What a case with this cause contains.
    needs: String,
    /// What each of the two does, and which is AWS's way.
    why: String,
}

/// Both answers to one case.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Disagreement {
    /// Number of the generated case.
    case: usize,
    ours: String,
    theirs: String,
    cause: String,
}

// Ignored by `make test` because that must do with cargo, go and python3: the peer is a node program. `make policy-peer` runs it.
#[test]
#[ignore = "needs node and the peer's package, which make test must do without: make policy-peer runs it"]
fn both_evaluators_answer_alike() {
    let cases = cases();
    let ours: Vec<_> = cases.iter().map(our_answer).collect();
    let asked: Vec<_> = cases
        .iter()
        .zip(&ours)
        .map(|(case, ours)| completions(case, ours))
        .collect();
    let questions: Vec<_> = asked.iter().flatten().cloned().collect();
    let mut theirs = their_answers(&questions).into_iter();
    let listed = disagreements();
    let known: BTreeMap<_, _> = listed.cases.iter().map(|one| (one.case, one)).collect();
    let mut wrong = Vec::new();
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for (index, ((case, ours), asked)) in cases.iter().zip(&ours).zip(&asked).enumerate() {
        let theirs: Vec<_> = theirs.by_ref().take(asked.len()).collect();
        let theirs = together(case, &theirs);
        let (kind, word) = (kind(case), word(case, ours));
        *counted.entry(format!("{kind}: {word}")).or_default() += 1;
        let fine = match known.get(&index) {
            Some(listed) => (listed.ours.as_str(), &listed.theirs) == (word, &theirs),
            None if case.is_abroad() => ours.is_denied(),
            None => word == theirs,
        };
        if !fine {
            let case = case.to_json();
            wrong.push(format!(
                "case {index}: ours {word}, theirs {theirs}\n{case}"
            ));
        }
    }
    println!(
        "{} cases, {} questions, {} listed disagreements, {} others",
        cases.len(),
        asked.iter().map(Vec::len).sum::<usize>(),
        listed.cases.len(),
        wrong.len()
    );
    for (what, count) in counted {
        println!("  {count:6} {what}");
    }
    if let Ok(path) = std::env::var("POLICY_PEER_OUT") {
        std::fs::write(path, wrong.join("\n")).unwrap();
    }
    let first: Vec<_> = wrong.iter().take(5).cloned().collect();
    assert!(wrong.is_empty(), "{}", first.join("\n\n"));
}

#[test]
fn every_disagreement_is_explained() {
    let listed = disagreements();
    let cases = cases();
    for one in &listed.cases {
        let cause = &listed.causes[&one.cause];
        let text = cases[one.case].to_json().to_string();
        assert!(
            text.contains(&cause.needs),
            "case {} has no {}",
            one.case,
            cause.needs
        );
        let asked = &cases[one.case];
        assert_eq!(
            word(asked, &our_answer(asked)),
            one.ours,
            "case {}",
            one.case
        );
        assert_ne!(one.ours, one.theirs, "case {}", one.case);
    }
    for (name, cause) in &listed.causes {
        assert!(cause.why.len() > 80, "{name} is not explained");
        assert!(
            listed.cases.iter().any(|one| one.cause == *name),
            "{name} has no case"
        );
    }
}

/// A generator that makes one answer of everything would let any evaluator pass.
#[test]
fn the_cases_ask_for_everything() {
    let cases = cases();
    let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut operators = BTreeSet::new();
    for case in &cases {
        *answers.entry(word(case, &our_answer(case))).or_default() += 1;
        let policies = case.identity.iter().chain([&case.policy]);
        let statements = policies.filter_map(|policy| policy["Statement"].as_array());
        for statement in statements.flatten() {
            let block = statement["Condition"].as_object().into_iter().flatten();
            operators.extend(block.map(|(operator, _)| operator.clone()));
        }
    }
    assert!(
        answers.len() == 5 && answers.values().all(|count| *count > CASES / 50),
        "{answers:?}"
    );
    for (_, name) in pools::OPERATORS {
        for quantifier in ["", "ForAnyValue:", "ForAllValues:"] {
            for if_exists in ["", "IfExists"] {
                let operator = format!("{quantifier}{name}{if_exists}");
                assert!(operators.contains(&operator), "{operator}");
            }
        }
    }
    assert!(operators.contains("Null"));
    for (what, count) in distribution::of(&cases) {
        println!("  {count:6} {what}");
    }
}

fn cases() -> Vec<Case> {
    let mut rng = Rng(SEED);
    let templates = templates();
    let given = (0..CASES).map(|_| generate::case(&mut rng, &templates));
    let mut cases: Vec<_> = given.collect();
    // With numbers of their own, so that those of the listed disagreements stay what they are.
    let mut rng = Rng(SEED + 1);
    cases.extend((0..DERIVED).map(|_| generate::derived_case(&mut rng, &templates)));
    let mut rng = Rng(SEED + 2);
    cases.extend((0..OF_SERVICES).map(|_| generate::service_case(&mut rng, &templates)));
    cases
}

/// The template's own policies, with one release and with two.
fn templates() -> Vec<Value> {
    let mut template = Template::in_account("aws", ACCOUNT, "prod-us-east-1-mainnet");
    let release = |byte| {
        let mut release = Measurement::image(Pcr::from_bytes([byte; 48]));
        release.registers.insert(8, Pcr::from_bytes([10; 48]));
        release
    };
    let mut rendered = Vec::new();
    for pins in [vec![], vec![8]] {
        template.pins = pins.into_iter().collect();
        for live in [&[release(1)][..], &[release(1), release(10)]] {
            rendered.push(serde_json::from_str(&template.render(live).to_json()).unwrap());
        }
    }
    rendered
}

fn our_answer(case: &Case) -> Decision {
    let parse = |policy: &Value| Policy::parse(&policy.to_string()).unwrap();
    let principal = principal(case);
    let identity: Vec<_> = case.identity.iter().map(parse).collect();
    let request = Request {
        principal: &principal,
        action: case.action,
        resource: case.resource,
        context: &known(case),
    };
    let identity = Identity::Policies(&identity);
    evaluate::key_policy(&parse(&case.policy), ACCOUNT, identity, &request)
}

fn principal(case: &Case) -> Principal {
    if case.is_of_service() {
        return Principal::service(case.principal);
    }
    let account = case.principal.split(':').nth(4).unwrap();
    Principal::new(case.principal, account)
}

/// What the case says: every key of the pools is known or absent, but for those that are left open.
fn known(case: &Case) -> Context {
    let values = |value: &Value| -> Vec<String> {
        let texts = |one: &Value| one.as_str().unwrap().to_owned();
        match value {
            Value::Array(many) => many.iter().map(texts).collect(),
            one => vec![texts(one)],
        }
    };
    let given = case
        .context
        .iter()
        .map(|(key, value)| (key.to_lowercase(), values(value)));
    let derives = case.derived.is_some();
    if case.unknown.is_empty() && !derives {
        return Context::complete(given.collect());
    }
    let mut context = if derives {
        Context::of(&principal(case), case.resource)
    } else {
        Context::open()
    };
    for key in &KEYS {
        let follows = derives && pools::is_derived(key.name);
        if !follows && !case.unknown.iter().any(|unknown| unknown.name == key.name) {
            context.set(
                key.name,
                case.context.get(key.name).map(values).unwrap_or_default(),
            );
        }
    }
    context
}

/// The answer in the peer's words; of what is open it is no matter which Deny it was.
fn word(case: &Case, decision: &Decision) -> &'static str {
    match decision {
        Decision::Allowed { .. } => "Allowed",
        Decision::Depends { .. } => "Depends",
        _ if !case.unknown.is_empty() => "Denied",
        Decision::ExplicitDeny { .. } => "ExplicitlyDenied",
        Decision::ImplicitDeny => "ImplicitlyDenied",
    }
}

fn kind(case: &Case) -> &'static str {
    match case.unknown.len() {
        _ if case.is_abroad() => "of another account",
        _ if case.is_of_service() => "of a service",
        _ if case.derived.is_some() => "derived from the question",
        0 => "all known",
        1 => "one key open",
        _ => "two keys open",
    }
}

/// What the peer is asked: the case, or the case with each of several values for what is open. Ours are among them.
fn completions(case: &Case, ours: &Decision) -> Vec<Value> {
    if case.is_abroad() {
        return vec![];
    }
    let on = match ours {
        Decision::Depends { on, .. } => on.as_slice(),
        _ => &[],
    };
    let mut completed = vec![Map::new()];
    for key in &case.unknown {
        // Every request to a key has the time.
        let always = case.derived.is_some() && key.name == "aws:CurrentTime";
        let mut values: Vec<Option<Value>> = if always { vec![] } else { vec![None] };
        values.extend(key.found.iter().map(|found| Some((*found).into())));
        let own = on
            .iter()
            .filter(|one| one.key.eq_ignore_ascii_case(key.name));
        let own = own.flat_map(|one| [&one.allowed, &one.denied]).flatten();
        // A text that is no number or date would have the peer fail.
        let own = own.filter(|values| values.iter().all(|value| key.takes(value)));
        values.extend(own.map(|values| match values.as_slice() {
            [] => None,
            [one] => Some(one.clone().into()),
            many => Some(many.to_vec().into()),
        }));
        let with = |map: &Map<String, Value>, value: &Option<Value>| {
            let mut map = map.clone();
            let value = value.as_ref();
            map.extend(value.map(|value| (key.name.to_owned(), value.clone())));
            map
        };
        completed = completed
            .iter()
            .flat_map(|map| values.iter().map(move |value| with(map, value)))
            .collect();
    }
    completed.iter().map(|more| case.completed(more)).collect()
}

/// One answer of the peer's many: where they differ it depends.
fn together(case: &Case, answers: &[String]) -> String {
    match answers {
        [] => "Denied".to_owned(),
        [one] if case.unknown.is_empty() => one.clone(),
        many => {
            let allowed = many.iter().filter(|one| *one == "Allowed").count();
            if let Some(error) = many.iter().find(|one| one.starts_with("Error")) {
                return error.clone();
            }
            let word = match allowed {
                0 => "Denied",
                all if all == many.len() => "Allowed",
                _ => "Depends",
            };
            word.to_owned()
        }
    }
}

fn their_answers(cases: &[Value]) -> Vec<String> {
    let cache = std::env::var("POLICY_PEER").unwrap_or_else(|_| {
        panic!("POLICY_PEER does not name the folder of the package: run make policy-peer")
    });
    let mut node = Command::new("node")
        .args([
            &format!("{HERE}/../../tests/key-policy-peer/peer.mjs"),
            &cache,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    for case in cases {
        writeln!(input, "{case}").unwrap();
    }
    drop(input);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<_> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(answers.len(), cases.len());
    answers
}

fn disagreements() -> Disagreements {
    let path = format!("{HERE}/../../tests/key-policy-peer/disagreements.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
