//! Every reason has its line of cause and cure in docs/runbook.md.

use rollover::Reason;
use strum::IntoEnumIterator;

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
