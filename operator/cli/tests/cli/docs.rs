//! Commands of the documentation that need no cluster, run as they stand there.

use crate::attestation::DOCUMENTS;
use crate::{hash, rendered};

/// The questions of docs/key-policies.md, each with the exit status that stands behind it.
#[test]
fn the_questions_of_the_page_are_answered_as_it_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/key-policies.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = std::env::temp_dir().join(format!("kubectl-chamber-docs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("policy.json");
    std::fs::write(&file, rendered(&[&hash("0a")], &[])).unwrap();
    let mut asked = 0;
    for line in page.lines() {
        let Some(command) = line.strip_prefix("    kubectl chamber policy explain ") else {
            continue;
        };
        let (command, status) = command.split_once("  # exit ").unwrap();
        let command = command
            .replace("policy.json", file.to_str().unwrap())
            .replace("$PCR0", &hash("0a"));
        let arguments: Vec<_> = ["policy", "explain"]
            .into_iter()
            .chain(command.split(' '))
            .collect();
        let run = crate::chamber(&arguments, "");
        run.ends_as(line, status);
        asked += 1;
    }
    assert_eq!(asked, 3);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The documents of docs/attestation.md, each with the exit status that stands behind it.
#[test]
fn the_documents_of_the_page_are_judged_as_it_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/attestation.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut judged = 0;
    for line in page.lines() {
        let Some(command) = line.strip_prefix("    kubectl chamber attestation verify ") else {
            continue;
        };
        let (command, status) = command.split_once("  # exit ").unwrap();
        let mut arguments = command.split(' ');
        let file = format!("{DOCUMENTS}{}", arguments.next().unwrap());
        let arguments: Vec<_> = ["attestation", "verify", &file]
            .into_iter()
            .chain(arguments)
            .collect();
        let run = crate::chamber(&arguments, "");
        run.ends_as(line, status);
        judged += 1;
    }
    assert_eq!(judged, 6);
}
