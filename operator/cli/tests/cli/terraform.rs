//! The rendered Terraform, read by python-hcl2, means what the rendered JSON means.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::{hash, rendered};

/// Ignored here because it needs a Python with python-hcl2; `make policy-terraform`, which `make test` runs, makes one.
#[test]
#[ignore = "needs python-hcl2: make policy-terraform, a part of make test, runs it"]
fn terraform_and_json_say_the_same() {
    let python = std::env::var("HCL2_PYTHON")
        .unwrap_or_else(|_| panic!("HCL2_PYTHON names no Python: run make policy-terraform"));
    let signed = format!("PCR0={},PCR8={}", hash("01"), hash("0a"));
    let (one, two) = (hash("01"), hash("02"));
    for (measurements, more) in [
        (vec![], vec![]),
        (vec![one.as_str()], vec![]),
        (vec![&one, &two], vec!["--partition", "aws-cn"]),
        (
            vec![&signed],
            vec!["--pin", "8", "--role-account", "444455556666"],
        ),
        (vec![&one, &two], vec!["--profile", "pinned"]),
    ] {
        let json: Value = serde_json::from_str(&rendered(&measurements, &more)).unwrap();
        let text = rendered(
            &measurements,
            &[&more[..], &["--format", "terraform"]].concat(),
        );
        let hcl = parsed(&python, &text);
        let found: Vec<_> = statements(&hcl).iter().map(from_hcl).collect();
        let wanted: Vec<_> = statements_of(&json);
        let pinned = usize::from(more.contains(&"pinned"));
        assert_eq!(wanted.len(), 5 + pinned);
        assert_eq!(found, wanted);
    }
}

/// The example that key holders apply: what it says before it admits anybody is what is rendered.
#[test]
#[ignore = "needs python-hcl2: make policy-terraform, a part of make test, runs it"]
fn the_module_of_a_key_is_the_rendered_policy() {
    let python = std::env::var("HCL2_PYTHON")
        .unwrap_or_else(|_| panic!("HCL2_PYTHON names no Python: run make policy-terraform"));
    let module = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/examples/terraform/key/main.tf"
    );
    let mut module = std::fs::read_to_string(module).unwrap();
    let own = "arn:aws:iam::111122223333";
    for (name, value) in [
        ("local.root", format!("\"{own}:root\"")),
        (
            "local.admin_role",
            format!("\"{own}:role/ChamberKmsKeyAdmin\""),
        ),
        (
            "local.enclave_role",
            format!("\"{own}:role/ChamberEnclaveRole-prod-us-east-1-mainnet\""),
        ),
        ("local.images", format!("[\"{}\"]", "f".repeat(96))),
    ] {
        module = module.replace(&format!("[{name}]"), &format!("[{value}]"));
        module = module.replace(&format!("= {name}\n"), &format!("= {value}\n"));
    }
    let hcl = parsed(&python, &module);
    let found: Vec<_> = statements(&hcl).iter().map(from_hcl).collect();
    let rendered = rendered(&[], &["--profile", "pinned"]);
    assert_eq!(
        found,
        statements_of(&serde_json::from_str(&rendered).unwrap())
    );
}

fn parsed(python: &str, text: &str) -> Value {
    let read = "import hcl2, json, sys; json.dump(hcl2.loads(sys.argv[1]), sys.stdout)";
    let output = Command::new(python)
        .args(["-c", read, text])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The statements of the data source `chamber_kms`, those that are there under a condition last.
fn statements(hcl: &Value) -> Vec<Value> {
    let data = field(hcl, "data").as_array().unwrap();
    let mut documents = data.iter().filter_map(|one| {
        let document = one.as_object()?.iter().next()?.1;
        document
            .as_object()?
            .iter()
            .find(|(name, _)| name.trim_matches('"') == "chamber_kms")
    });
    let (_, document) = documents.next().unwrap();
    let document = only(document);
    let dynamic = field(document, "dynamic").as_array().into_iter().flatten();
    let dynamic = dynamic.map(|one| only(field(field(one, "statement"), "content")).clone());
    let plain = field(document, "statement").as_array().unwrap().iter();
    plain.cloned().chain(dynamic).collect()
}

fn statements_of(json: &Value) -> Vec<Value> {
    let statements = json["Statement"].as_array().unwrap().iter();
    statements.map(from_json).collect()
}

/// A member whose name the parser may have kept in quotes.
fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("{value} has no {name}"));
    let found = object.iter().find(|(key, _)| key.trim_matches('"') == name);
    found.map_or(&Value::Null, |(_, value)| value)
}

/// Blocks are lists of one.
fn only(value: &Value) -> &Value {
    match value {
        Value::Array(items) if items.len() == 1 => &items[0],
        other => other,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().trim_matches('"').to_owned()
}

fn set(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => [text(one)].into(),
    }
}

fn from_json(statement: &Value) -> Value {
    let principal = match &statement["Principal"] {
        Value::String(all) => json!({ "AWS": [all] }),
        Value::Object(kinds) => kinds
            .iter()
            .map(|(kind, names)| (kind.clone(), json!(set(names))))
            .collect(),
        other => panic!("{other}"),
    };
    let mut conditions = BTreeSet::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().unwrap() {
            conditions.insert((operator.clone(), key.clone(), set(values)));
        }
    }
    json!([
        statement["Sid"],
        statement["Effect"],
        principal,
        set(&statement["Action"]),
        set(&statement["Resource"]),
        conditions,
    ])
}

fn from_hcl(statement: &Value) -> Value {
    let principals = field(statement, "principals");
    let principal: Value = principals
        .as_array()
        .unwrap()
        .iter()
        .map(|block| {
            (
                text(field(block, "type")),
                json!(set(field(block, "identifiers"))),
            )
        })
        .collect();
    let conditions: BTreeSet<_> = field(statement, "condition")
        .as_array()
        .into_iter()
        .flatten()
        .map(|block| {
            (
                text(field(block, "test")),
                text(field(block, "variable")),
                set(field(block, "values")),
            )
        })
        .collect();
    json!([
        text(field(statement, "sid")),
        field(statement, "effect")
            .as_str()
            .map_or("Allow", |effect| effect.trim_matches('"')),
        principal,
        set(field(statement, "actions")),
        set(field(statement, "resources")),
        conditions,
    ])
}

/// Files of Terraform in the documentation's examples.
fn examples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/terraform");
    let modules = std::fs::read_dir(folder).unwrap();
    let files = modules.flat_map(|module| std::fs::read_dir(module.unwrap().path()).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|found| found == "tf"));
    files
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect()
}

/// In a key's own account an identity policy that lets the enclave role decrypt goes past statement 3 of profile Standard.
#[test]
fn identity_policies_of_the_examples_open_keys_of_other_accounts_alone() {
    let mut found = 0;
    for file in examples() {
        for statement in file.split("\n  statement {").skip(1) {
            let statement = statement.split("\n  }").next().unwrap();
            // One with principals is a key's or a role's own policy.
            if !statement.contains("kms:Decrypt") || statement.contains("principals") {
                continue;
            }
            found += 1;
            let resources = "resources = local.foreign_keys\n";
            assert!(format!("{statement}\n").contains(resources), "{statement}");
            let foreign = "foreign_keys = [for arn in var.key_arns : arn if split(\":\", arn)[4] != data.aws_caller_identity.this.account_id]";
            assert!(file.contains(foreign), "{file}");
        }
    }
    assert_eq!(found, 1, "the enclave role's");
}
