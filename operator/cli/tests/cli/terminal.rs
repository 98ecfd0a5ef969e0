//! Colours: on a terminal that has them, and nowhere else.

use crate::{CLUSTER, chamber, hash, rendered, without_colour_variables};

/// Runs a program under a pseudo-terminal and writes what the terminal saw.
const PTY: &str = "
import os, pty, sys
seen = bytearray()
def read(fd):
    chunk = os.read(fd, 4096)
    seen.extend(chunk)
    return chunk
status = pty.spawn(sys.argv[1:], read)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// What a terminal shows of `policy lint`, with these variables.
fn on_a_terminal(file: &str, variables: &[(&str, &str)]) -> String {
    let output = without_colour_variables("python3")
        .args(["-c", PTY, env!("CARGO_BIN_EXE_kubectl-chamber")])
        .args(["policy", "lint", file])
        .args(CLUSTER)
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("root-delegates"), "{shown}");
    shown
}

#[test]
fn colours_are_for_terminals_that_have_them() {
    let folder = std::env::temp_dir().join(format!("kubectl-chamber-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("policy.json");
    std::fs::write(&file, rendered(&[&hash("01")], &[])).unwrap();
    let file = file.to_str().unwrap();
    let colour = '\x1b';
    assert!(on_a_terminal(file, &[]).contains(colour));
    assert!(!on_a_terminal(file, &[("NO_COLOR", "1")]).contains(colour));
    assert!(!on_a_terminal(file, &[("TERM", "dumb")]).contains(colour));
    let mut piped = vec!["policy", "lint", file];
    piped.extend(CLUSTER);
    assert!(!chamber(&piped, "").out.contains(colour));
    std::fs::remove_dir_all(folder).unwrap();
}

/// docs/cli.md has the program that kubectl asks; verbs, flags and hyphens reach it as they are typed.
#[test]
fn kubectl_is_told_what_may_come_next() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = std::fs::read_to_string(page).unwrap();
    let call = page
        .lines()
        .find_map(|line| line.strip_prefix("    exec kubectl-chamber "));
    let call: Vec<_> = call
        .unwrap()
        .split(' ')
        .filter(|word| *word != "\"$@\"")
        .collect();
    assert_eq!(call, ["complete", "--"]);
    let run = crate::chamber(&[&call[..], &["policy", "ex"]].concat(), "");
    assert_eq!((run.status, run.out.lines().count()), (0, 2), "{}", run.out);
    assert!(run.out.starts_with("explain\t"), "{}", run.out);
    let run = crate::chamber(&[&call[..], &["wait", "signer", "--tim"]].concat(), "");
    assert!(run.out.starts_with("--timeout\t"), "{}{}", run.out, run.err);
    let run = crate::chamber(&[&call[..], &["status", ""]].concat(), "");
    assert!(run.out.ends_with(":0\n"), "{}", run.out);
}
