//! The program as it is run: what it prints, and its exit status.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod api_server;
mod attestation;
mod attested;
mod blobs;
mod cases;
mod connection;
mod describe_eif;
mod docs;
mod explain;
mod help;
mod keys;
mod manifest;
mod one_way;
mod proxy;
mod read_as;
mod support;
mod terminal;
mod terraform;

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

const CLUSTER: [&str; 4] = [
    "--cluster-id",
    "prod-us-east-1-mainnet",
    "--account",
    "111122223333",
];
const ENCLAVE: &str = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet";

struct Run {
    status: i32,
    out: String,
    err: String,
}

impl Run {
    /// With the exit status that stands behind a page's line.
    fn ends_as(&self, line: &str, status: &str) {
        let (found, out, err) = (self.status.to_string(), &self.out, &self.err);
        assert_eq!(found, status, "{line}: {out}{err}");
    }
}

/// What decides about colours (anstyle-query): whoever runs the tests may have set each, and CI sets `CI`.
const COLOUR_VARIABLES: [&str; 6] = [
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "TERM",
    "CI",
];

/// A program that inherits nothing which decides about colours.
fn without_colour_variables(program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in COLOUR_VARIABLES {
        command.env_remove(variable);
    }
    command
}

fn chamber(arguments: &[&str], input: &str) -> Run {
    let mut program = without_colour_variables(env!("CARGO_BIN_EXE_kubectl-chamber"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end before it reads.
    let _ = program.stdin.take().unwrap().write_all(input.as_bytes());
    let output = program.wait_with_output().unwrap();
    Run {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn hash(byte: &str) -> String {
    byte.repeat(48)
}

fn rendered(measurements: &[&str], more: &[&str]) -> String {
    let mut arguments = vec!["policy", "render"];
    arguments.extend(CLUSTER);
    for one in measurements {
        arguments.extend(["--measurement", one]);
    }
    arguments.extend(more);
    let run = chamber(&arguments, "");
    assert_eq!(run.status, 0, "{}", run.err);
    run.out
}

fn lint(policy: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["policy", "lint", "-"];
    arguments.extend(CLUSTER);
    arguments.extend(more);
    chamber(&arguments, policy)
}

#[test]
fn lint_tells_notes_from_faults_by_its_status() {
    let good = rendered(&[&hash("01")], &[]);
    let run = lint(&good, &[]);
    assert_eq!(run.status, 0, "{}", run.out);
    assert!(
        run.out.contains("root-delegates") && run.out.contains("Pinned profile"),
        "{}",
        run.out
    );
    assert!(
        run.out
            .ends_with("0 errors, 0 warnings, 3 notes\n2133 of 32768 bytes, room for 274 images\n"),
        "{}",
        run.out
    );
    assert!(!run.out.contains('\x1b'), "no terminal, no colours");
    let bad = lint(&good.replace("\"kms:Put*\"", "\"kms:D*\""), &[]);
    assert_eq!(bad.status, 1, "{}", bad.out);
    assert!(bad.out.contains("admin-uses-key"), "{}", bad.out);
    let broken = lint("{\n  \"Statement\": 1 }", &[]);
    assert_eq!(broken.status, 2);
    assert!(
        broken.err.contains("standard input: line 2, column 16"),
        "{}",
        broken.err
    );
}

#[test]
fn lint_writes_each_form() {
    let good = rendered(&[&hash("01")], &[]);
    let json: Value = serde_json::from_str(&lint(&good, &["-o", "json"]).out).unwrap();
    assert_eq!(json["findings"].as_array().unwrap().len(), 3);
    assert_eq!(json["size"]["room"], 274);
    let yaml: Value = serde_yaml_ng::from_str(&lint(&good, &["-o", "yaml"]).out).unwrap();
    assert_eq!(yaml, json);
    let sarif: Value = serde_json::from_str(&lint(&good, &["-o", "sarif"]).out).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 3);
}

/// The first line of an explanation.
fn answer(run: &Run) -> &str {
    run.out.lines().next().unwrap_or_default()
}

/// An IAM principal with any enclave: Standard leaves it to its IAM policies, Pinned denies what is not admitted.
#[test]
fn pinned_binds_everybody() {
    let folder =
        std::env::temp_dir().join(format!("kubectl-chamber-pinned-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let identity = folder.join("identity.json");
    let all = r#"{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;
    std::fs::write(&identity, all).unwrap();
    let identity = identity.to_str().unwrap().to_owned();
    let asked = |profile: &str, measurement: &str| {
        let policy = rendered(&[&hash("01")], &["--profile", profile]);
        let who = "arn:aws:iam::111122223333:role/Somebody";
        let question = ["policy", "explain", "-", "--principal", who];
        let more = ["--action", "kms:Decrypt", "--identity", &identity];
        let attested = ["--measurement", measurement];
        chamber(&[&question[..], &more, &attested].concat(), &policy)
    };
    assert_eq!(asked("standard", &hash("02")).status, 0);
    let retired = asked("pinned", &hash("02"));
    assert_eq!(
        (retired.status, answer(&retired)),
        (1, "denied by statement DenyDataOpsWithOtherImageSha384")
    );
    assert_eq!(asked("pinned", &hash("01")).status, 0);
    let notes = lint(&rendered(&[&hash("01")], &["--profile", "pinned"]), &[]);
    assert_eq!(notes.status, 0, "{}", notes.out);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_kms_would_refuse_is_not_rendered() {
    let registers = |byte: &str| {
        let all: Vec<_> = (0..32)
            .map(|index| format!("PCR{index}={}", hash(byte)))
            .collect();
        all.join(",")
    };
    let (old, new) = (registers("01"), registers("02"));
    let mut arguments = vec!["policy", "render", "--profile", "pinned"];
    arguments.extend(CLUSTER);
    arguments.extend(["--measurement", &old, "--measurement", &new]);
    let pins: Vec<_> = (1..32).map(|pin| format!("--pin={pin}")).collect();
    arguments.extend(pins.iter().map(String::as_str));
    let run = chamber(&arguments, "");
    assert_eq!(run.status, 2, "{}", run.out);
    assert!(run.err.contains("KMS takes 32768"), "{}", run.err);
}

#[test]
fn explain_names_the_statement_that_decides() {
    let policy = rendered(&[&hash("0a")], &[]);
    let explain = |measurement: &[&str], more: &[&str]| {
        let mut arguments = vec![
            "policy",
            "explain",
            "-",
            "--principal",
            ENCLAVE,
            "--action",
            "kms:Decrypt",
        ];
        for one in measurement {
            arguments.extend(["--measurement", one]);
        }
        arguments.extend(more);
        chamber(&arguments, &policy)
    };
    let allowed = explain(&[&hash("0A")], &[]);
    assert_eq!(
        (allowed.status, answer(&allowed)),
        (
            0,
            "allowed by statement AllowChamberEnclaveDecryptWithAttestation"
        )
    );
    assert!(
        allowed
            .out
            .lines()
            .last()
            .unwrap()
            .starts_with("not shown here: service control policies"),
        "{}",
        allowed.out
    );
    let other = explain(&[&hash("0b")], &[]);
    assert_eq!(
        (other.status, answer(&other)),
        (
            3,
            "depends on IAM policies (statement EnableIAMRootPermissionsBreakGlass)"
        )
    );
    let none = explain(&[], &["-o", "json"]);
    assert_eq!(none.status, 1);
    let none: Value = serde_json::from_str(&none.out).unwrap();
    assert_eq!(none["answer"], "denied");
    assert_eq!(none["statement"], "DenyDataOpsWithoutAttestation");
    let wrong = explain(&["PCR8=ab"], &[]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("PCR8=ab"), "{}", wrong.err);
}

#[test]
fn a_policy_that_admits_nobody_names_a_value_that_no_release_may_have() {
    let nobody = hash("ff");
    let policy = rendered(&[], &["--profile", "pinned"]);
    assert_eq!(policy.matches(&nobody).count(), 2, "{policy}");
    assert_eq!(lint(&policy, &[]).status, 0);
    let terraform = rendered(&[], &["--format", "terraform"]);
    assert!(
        terraform.contains(&format!("values = [\"{nobody}\"]")),
        "{terraform}"
    );

    let refused = |verb: &str, measurement: &str, more: &[&str]| {
        let mut arguments = vec!["policy", verb, "--measurement", measurement];
        arguments.extend(more);
        let run = chamber(&arguments, &policy);
        assert_eq!(run.status, 2, "{}", run.out);
        run.err
    };
    let explain = ["-", "--principal", ENCLAVE, "--action", "kms:Decrypt"];
    let registers = format!("PCR0={},PCR8={nobody}", hash("01"));
    for (verb, measurement, more) in [
        ("render", nobody.as_str(), &CLUSTER[..]),
        ("render", registers.as_str(), &CLUSTER[..]),
        ("explain", nobody.as_str(), &explain[..]),
    ] {
        let why = refused(verb, measurement, more);
        assert!(why.contains("is 96 x f, which no image has"), "{why}");
    }
    let zeros = refused("render", &hash("00"), &CLUSTER);
    assert!(zeros.contains("all zeros"), "{zeros}");
}

#[test]
fn diff_tells_what_came_and_went() {
    let folder = std::env::temp_dir().join(format!("kubectl-chamber-diff-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let after = folder.join("after.json");
    let (old, new) = (hash("01"), hash("02"));
    let before = rendered(&[&old], &[]);
    std::fs::write(&after, rendered(&[&old, &new], &[])).unwrap();
    let after = after.to_str().unwrap().to_owned();
    let run = chamber(&["policy", "diff", "-", &after], &before);
    let expected = format!(
        "AllowChamberEnclaveDecryptWithAttestation\n  + Condition StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384 {new}\n"
    );
    assert_eq!((run.status, run.out), (1, expected));
    let same = chamber(
        &["policy", "diff", "-", &after],
        &rendered(&[&new, &old], &[]),
    );
    assert_eq!(
        (same.status, same.out.as_str()),
        (0, "both mean the same\n")
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// CDK and the console give no Sids: a number says of which policy it is.
#[test]
fn diff_names_statements_without_sids_by_the_policy_where_they_are() {
    let folder =
        std::env::temp_dir().join(format!("kubectl-chamber-numbers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let statement = |who: &str, action: &str| {
        let principal = format!("arn:aws:iam::111122223333:role/{who}");
        serde_json::json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": ["kms:ListGrants", action], "Resource": "*"})
    };
    let document = |statements: &[Value]| {
        serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    };
    let (a, b) = (statement("a", "kms:Sign"), statement("b", "kms:Sign"));
    let before = document(&[a.clone(), b, statement("c", "kms:Sign")]);
    let other = serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"});
    let after = folder.join("after.json");
    std::fs::write(&after, document(&[a, other, statement("c", "kms:Verify")])).unwrap();
    let after = after.to_str().unwrap();
    let run = chamber(&["policy", "diff", "-", after], &before);
    let expected = "\
#1 (removed)
  - Action kms:ListGrants
  - Action kms:Sign
  - Effect Allow
  - Principal AWS arn:aws:iam::111122223333:role/b
  - Resource *
#2
  - Action kms:Sign
  + Action kms:Verify
#1 (added)
  + Action kms:Encrypt
  + Effect Deny
  + Principal AWS *
  + Resource *
#n counts from 0: in the policy before, and for what is added in the policy after
";
    assert_eq!((run.status, run.out.as_str()), (1, expected));
    let run = chamber(&["policy", "diff", "-", after, "-o", "json"], &before);
    let found: Value = serde_json::from_str(&run.out).unwrap();
    let words: Vec<_> = [0, 5, 7]
        .iter()
        .map(|index| found["changes"][index]["statementChange"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["removed", "changed", "added"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn wrong_use_is_status_two_and_help_teaches() {
    let three = [hash("01"), hash("02"), hash("03")];
    let mut too_many = vec!["policy", "render"];
    too_many.extend(CLUSTER);
    for one in &three {
        too_many.extend(["--measurement", one]);
    }
    for wrong in [
        too_many,
        vec!["policy", "render", "--cluster-id", "c", "--account", "1"],
        vec!["policy", "diff", "-", "/nowhere/policy.json"],
        vec![
            "policy",
            "explain",
            "-",
            "--principal",
            "me",
            "--action",
            "kms:Decrypt",
        ],
        vec!["describe-eif", "/nowhere/enclave.eif"],
        vec!["nothing"],
    ] {
        let run = chamber(&wrong, r#"{"Statement":[]}"#);
        assert_eq!(run.status, 2, "{wrong:?}");
        assert!(!run.err.is_empty() && run.out.is_empty(), "{wrong:?}");
    }
    for verb in [
        &["policy", "lint"][..],
        &["policy", "explain"],
        &["policy", "diff"],
        &["policy", "render"],
        &["describe-eif"],
        &["status"],
        &["plan"],
        &["pause"],
        &["resume"],
        &["abort"],
        &["retry"],
        &["revoke"],
    ] {
        let run = chamber(&[verb, &["--help"]].concat(), "");
        assert_eq!(run.status, 0);
        assert!(
            run.out.contains("Example") && run.out.contains("kubectl chamber"),
            "{}",
            run.out
        );
    }
}
