//! The documents say what the code does: every reason is in the runbook, every example is a valid object.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of a test may end the test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chamber_api::{ChamberCluster, Sealing};
use serde_json::Value;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn examples() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(docs().join("examples")).expect("docs/examples");
    let files = folder
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .filter(|path| !path.ends_with("values-eks.yaml"));
    files
        .flat_map(|path| {
            let objects = demo::kubernetes::documents(&read(&path)).expect("YAML");
            let name = path.display().to_string();
            objects
                .into_iter()
                .map(move |object| (name.clone(), object))
        })
        .collect()
}

/// What the types do not know would be dropped by the API server without a word.
#[test]
fn example_chamber_clusters_have_no_unknown_field() {
    let mut sealings = BTreeSet::new();
    for (file, object) in examples() {
        if object["kind"] != "ChamberCluster" {
            continue;
        }
        let typed: ChamberCluster = serde_json::from_value(object.clone())
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let again = serde_json::to_value(&typed.spec).expect("spec");
        contained(&object["spec"], &again, &format!("{file}: spec"));
        sealings.insert(typed.spec.sealing == Sealing::Managed);
    }
    assert_eq!(sealings.len(), 2, "one example a kind of sealing");
}

/// Every member of `part` is in `whole`, with the same value.
fn contained(part: &Value, whole: &Value, path: &str) {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            for (name, value) in part {
                let path = format!("{path}.{name}");
                let found = whole
                    .get(name)
                    .unwrap_or_else(|| panic!("{path} is no field"));
                contained(value, found, &path);
            }
        }
        (Value::Array(part), Value::Array(whole)) => {
            assert_eq!(part.len(), whole.len(), "{path}");
            for (part, whole) in part.iter().zip(whole) {
                contained(part, whole, path);
            }
        }
        _ => assert_eq!(part, whole, "{path}"),
    }
}

#[test]
fn examples_name_their_namespace_before_they_use_it() {
    let made: BTreeSet<String> = examples()
        .iter()
        .filter(|(_, object)| object["kind"] == "Namespace")
        .filter_map(|(_, object)| object["metadata"]["name"].as_str().map(str::to_owned))
        .collect();
    for (file, object) in examples() {
        if let Some(namespace) = object["metadata"]["namespace"].as_str() {
            assert!(
                made.contains(namespace),
                "{file}: nothing makes {namespace}"
            );
        }
    }
}

#[test]
fn the_emulator_accepts_the_demos_configuration() {
    let root = nsm_emulator::TestRoot::generate().expect("root");
    let operator = demo::aws::operator_credentials().expect("credentials");
    let tenant = demo::Tenant::new("demo", "signer", "demo-local-signer", 3).expect("tenant");
    let roots = demo::roots::Roots {
        nsm: root.certificate_pem(),
        nsm_signer: String::new(),
        kms_tls: serde_json::json!({"certificatePem": "", "keyPem": ""}),
    };
    let config = demo::aws::emulator_config(&operator, &[tenant], &roots)
        .expect("config")
        .to_string();
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(async {
        let config = kms_emulator::Config::parse(&config).expect("shape");
        let any = "127.0.0.1:0".parse().expect("address");
        kms_emulator::Server::start(config, any, any)
            .await
            .expect("start")
    });
}

/// Files that pages name by a link are there, and so are the headings behind a `#`.
#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut pages = vec![
        docs().join("../README.md"),
        docs().join("examples/README.md"),
    ];
    for folder in [docs(), docs().join("decisions")] {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let paths = entries.map(|entry| entry.expect("entry").path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    let (mut links, mut lost) = (0, Vec::new());
    for page in &pages {
        let text = read(page);
        let targets = text.split("](").skip(1);
        let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => page.clone(),
                _ => page.with_file_name(file),
            };
            let found = path.exists() && (heading.is_empty() || has_heading(&path, heading));
            links += 1;
            if !found {
                lost.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 100, "{links}");
    assert_eq!(lost, [""; 0]);
}

/// As GitHub makes anchors of headings: lower case, spaces as dashes, without other signs.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = read(page);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
    let anchors = headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let title = title.replace(' ', "-");
        title
            .chars()
            .filter(|letter| kept(*letter))
            .collect::<String>()
    });
    anchors.into_iter().any(|one| one == anchor)
}

/// The threat model says which test shows a row; each of them is there.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = read(&docs().join("threat-model.md"));
    let mut source = String::new();
    for folder in ["operator", "enclave-image", "tests"] {
        sources(&docs().join("..").join(folder), &mut source);
    }
    let named = page.split('`').skip(1).step_by(2);
    let named: BTreeSet<_> = named
        .filter(|name| name.matches('_').count() >= 2)
        .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let found = source.contains(&format!("fn {name}("));
        assert!(found, "docs/threat-model.md names {name}, which is no test");
    }
}

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("entry").path();
        let skipped = path.ends_with("target") || path.ends_with("node_modules");
        if path.is_dir() && !skipped {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&read(&path));
        }
    }
}
