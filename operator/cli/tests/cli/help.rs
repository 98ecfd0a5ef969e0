//! What every help page has, and the files that go out with the program.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::chamber;

/// Verbs below these words, as their help lists them.
fn below(words: &[&str]) -> Vec<String> {
    let help = chamber(&[words, &["--help"]].concat(), "").out;
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let lines = list.lines().take_while(|line| !line.is_empty());
    let verbs = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = verbs.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn check(words: &[&str], pages: &mut usize) {
    let verbs = below(words);
    if verbs.is_empty() {
        let help = chamber(&[words, &["--help"]].concat(), "").out;
        assert!(help.contains("Exit status: 0 "), "{words:?}: {help}");
        assert!(
            help.contains("2 ") && help.contains("Example"),
            "{words:?}: {help}"
        );
        *pages += 1;
    }
    for verb in &verbs {
        check(&[words, &[verb]].concat(), pages);
    }
}

#[test]
fn every_page_says_how_the_verb_ends_and_has_an_example() {
    let mut pages = 0;
    check(&[], &mut pages);
    assert!(pages > 25, "{pages} pages were found");
}

/// bash itself, with the script sourced: verbs, then flags, then nothing of ours.
#[test]
fn bash_completes_with_the_script() {
    let program = Path::new(env!("CARGO_BIN_EXE_kubectl-chamber"));
    let script = "source <(kubectl-chamber completion bash)
        words() { COMP_WORDS=(kubectl-chamber \"$@\"); COMP_CWORD=$#; _kubectl_chamber; echo \"${COMPREPLY[@]}\"; }
        words stat; words policy l; words wait signer --tim; words policy lint po";
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let run = Command::new("bash")
        .args(["-c", script])
        .env("PATH", path)
        .output()
        .unwrap();
    let out = String::from_utf8(run.stdout).unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert_eq!(out, "status\nlint\n--timeout\n\n", "{err}");
}

#[test]
fn kubectl_s_script_is_the_one_of_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = std::fs::read_to_string(page).unwrap();
    let script = chamber(&["completion", "kubectl"], "").out;
    for line in script.lines() {
        assert!(page.contains(&format!("    {line}\n")), "{line}");
    }
}

/// krew's rules: <https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/>
#[test]
fn krews_manifest_names_each_archive_with_its_sum() {
    let folder = tempfile::tempdir().unwrap();
    for platform in ["linux-amd64", "darwin-arm64"] {
        let program = folder.path().join(format!("kubectl-chamber-{platform}"));
        std::fs::write(program, platform).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/krew.sh");
    let run = |version: &str| {
        let url = "https://dl.example.com/v0.1.0";
        let output = Command::new("bash")
            .args([script, version, url, "https://example.com"])
            .arg(folder.path())
            .output();
        output.unwrap()
    };
    assert_eq!(
        run("0.1").status.code(),
        Some(2),
        "a version that krew refuses"
    );
    let manifest = run("v0.1.0");
    let manifest: Value = serde_yaml_ng::from_slice(&manifest.stdout).unwrap();
    assert_eq!(manifest["metadata"]["name"], "chamber");
    assert!(manifest["spec"]["shortDescription"].as_str().unwrap().len() <= 50);
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 2);
    for platform in platforms {
        let labels = &platform["selector"]["matchLabels"];
        let name = format!(
            "kubectl-chamber-{}-{}",
            labels["os"].as_str().unwrap(),
            labels["arch"].as_str().unwrap()
        );
        assert_eq!(
            platform["uri"],
            format!("https://dl.example.com/v0.1.0/{name}.tar.gz")
        );
        let archive = folder.path().join(format!("{name}.tar.gz"));
        let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        assert!(
            sum.starts_with(platform["sha256"].as_str().unwrap()),
            "{sum}"
        );
        let packed = Command::new("tar")
            .arg("-tzf")
            .arg(&archive)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(packed.stdout).unwrap(),
            "LICENSE\nkubectl-chamber\n"
        );
    }
    assert_eq!(run("v0.1.0").stdout, run("v0.1.0").stdout);
}
