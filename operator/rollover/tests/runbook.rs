//! Every reason has its line of cause and cure in docs/runbook.md, and docs/rollover.md names every reason and
//! every place where the operator can be interrupted.

use rollover::{Action, Note, Reason};
use strum::{IntoEnumIterator, VariantNames};

#[test]
fn the_runbook_knows_every_reason_and_no_other() {
    let runbook = include_str!("../../../docs/runbook.md");
    let rows: Vec<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let reasons: Vec<String> = Reason::iter().map(|reason| reason.to_string()).collect();
    for reason in &reasons {
        assert!(
            rows.contains(&reason.as_str()),
            "docs/runbook.md has no row for {reason}"
        );
    }
    for row in rows {
        assert!(
            reasons.iter().any(|reason| reason == row),
            "docs/runbook.md has a row for {row}, which is no reason"
        );
    }
}

#[test]
fn the_rollovers_page_has_every_action_and_note_as_a_row_and_every_reason() {
    let page = include_str!("../../../docs/rollover.md");
    for name in Action::VARIANTS.iter().chain(Note::VARIANTS) {
        let row = format!("\n| `{name}` |");
        assert!(
            page.contains(&row),
            "docs/rollover.md has no row for {name}"
        );
    }
    for reason in Reason::iter() {
        let named = format!("`{reason}`");
        assert!(
            page.contains(&named),
            "docs/rollover.md does not name {reason}"
        );
    }
}
