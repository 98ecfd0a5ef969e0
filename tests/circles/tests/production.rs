//! What users run is made of nothing that is made for tests: no option can reach what is not there.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

/// The packages of every program that users run.
const PROGRAMS: [&str; 5] = [
    "chamber-host",
    "chamber-operator",
    "eif-build",
    "enclave",
    "kubectl-chamber",
];

/// A package and all that it is made of, with the folders of those that are this repository's.
fn made_of(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--all-features"])
        .args(["--package", package, "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_program_that_users_run_has_a_crate_of_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().unwrap();
    let folder = |group: &str| root.join(group).display().to_string();
    for package in PROGRAMS {
        let made_of = made_of(package);
        let own = |line: &&str| line.contains(&folder("enclave-image"));
        assert!(
            made_of.lines().any(|line| own(&line)),
            "{package}: {made_of}"
        );
        let of_tests = made_of.lines().find(|line| line.contains(&folder("tests")));
        assert_eq!(of_tests, None, "{package}");
    }
    // The search finds them where they are.
    assert!(made_of("emulated-chamber").contains(&folder("tests")));
}
