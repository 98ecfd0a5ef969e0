//! The evaluator against an independent one: `@cloud-copilot/iam-simulate`, in node.
//!
//! `make policy-peer` installs it and runs this. What both answer differently is in
//! `tests/key-policy-peer/disagreements.json`, each with the reason; a difference that is not there
//! fails the test, and so does one that is there and is none any more.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod generate;
mod pools;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use key_policy::evaluate::{self, Decision, Principal, Request};
use key_policy::{Policy, Template};
use measurement::{Measurement, Pcr};
use serde_json::Value;

use generate::{Case, Rng};

const ACCOUNT: &str = "111122223333";
const CASES: usize = 20_000;
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
    let theirs = their_answers(&cases);
    let listed = disagreements();
    let known: BTreeMap<_, _> = listed.cases.iter().map(|one| (one.case, one)).collect();
    let mut wrong = Vec::new();
    for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let as_listed = known
            .get(&index)
            .map(|one| (one.ours.as_str(), one.theirs.as_str()));
        let fine = match as_listed {
            Some(listed) => listed == (ours, theirs),
            None => ours == theirs,
        };
        if !fine {
            let case = cases[index].to_json();
            wrong.push(format!(
                "case {index}: ours {ours}, theirs {theirs}\n{case}"
            ));
        }
    }
    println!(
        "{} cases, {} listed disagreements, {} others",
        cases.len(),
        listed.cases.len(),
        wrong.len()
    );
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
        assert_eq!(our_answer(&cases[one.case]), one.ours, "case {}", one.case);
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
        *answers.entry(our_answer(case)).or_default() += 1;
        let policies = case.identity.iter().chain([&case.policy]);
        let statements = policies.filter_map(|policy| policy["Statement"].as_array());
        for statement in statements.flatten() {
            let block = statement["Condition"].as_object().into_iter().flatten();
            operators.extend(block.map(|(operator, _)| operator.clone()));
        }
    }
    assert!(
        answers.len() == 3 && answers.values().all(|count| *count > CASES / 20),
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
}

fn cases() -> Vec<Case> {
    let mut rng = Rng(SEED);
    let templates = templates();
    (0..CASES)
        .map(|_| generate::case(&mut rng, &templates))
        .collect()
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

fn our_answer(case: &Case) -> &'static str {
    let parse = |policy: &Value| Policy::parse(&policy.to_string()).unwrap();
    let values = |value: &Value| match value {
        Value::Array(many) => many
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    let context = case
        .context
        .iter()
        .map(|(key, value)| (key.to_lowercase(), values(value)))
        .collect();
    let principal = Principal {
        arn: case.principal.to_owned(),
        account: case.principal.split(':').nth(4).unwrap().to_owned(),
    };
    let identity: Vec<_> = case.identity.iter().map(parse).collect();
    let request = Request {
        principal: &principal,
        action: case.action,
        resource: case.resource,
        context: &context,
    };
    match evaluate::key_policy(&parse(&case.policy), ACCOUNT, &identity, &request) {
        Decision::Allowed { .. } => "Allowed",
        Decision::ExplicitDeny { .. } => "ExplicitlyDenied",
        Decision::ImplicitDeny => "ImplicitlyDenied",
    }
}

fn their_answers(cases: &[Case]) -> Vec<String> {
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
        writeln!(input, "{}", case.to_json()).unwrap();
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
