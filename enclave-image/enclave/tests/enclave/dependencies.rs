//! The agent's dependencies are a list that somebody has read.

use std::collections::BTreeSet;
use std::process::Command;

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dependencies.txt");

/// What has no place in an enclave: a second provider, the platform's roots, unmaintained parsers.
const NEVER: [&str; 6] = [
    "ring",
    "openssl-sys",
    "rustls-native-certs",
    "rustls-platform-verifier",
    "serde_cbor",
    "regex",
];

fn tree() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "enclave"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_agents_dependencies_are_those_of_the_list() {
    let found = tree();
    let text = std::fs::read_to_string(LIST).unwrap();
    let listed: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "dependencies.txt: new {new:?}, gone {gone:?}; every new one runs where the master key is"
    );
    for name in NEVER {
        assert!(!found.contains(name), "{name}");
    }
}
