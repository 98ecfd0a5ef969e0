//! Every reason has its line of cause and cure in docs/runbook.md, and docs/rollover.md names every reason and
//! every place where the operator can be interrupted.

use rollover::{Action, Outlook, Reason, Transition};
use strum::{IntoEnumIterator, VariantNames};

#[test]
fn the_runbook_says_of_every_reason_in_order_who_ends_it() {
    let runbook = include_str!("../../../../docs/runbook.md");
    let rows = runbook.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        let outlook = match line.split('|').nth(2)?.trim() {
            "time" => Outlook::WaitsByItself,
            "person, by design" => Outlook::WaitsForAPerson,
            "time, then person" => Outlook::NeedsACureWhereItLasts,
            "person" => Outlook::NeedsACure,
            _ => return None,
        };
        Some((name.to_owned(), outlook))
    });
    let documented: Vec<_> = rows.collect();
    let real = Reason::iter().map(|reason| (reason.to_string(), reason.outlook()));
    assert_eq!(documented, real.collect::<Vec<_>>());
}

#[test]
fn the_rollovers_page_has_every_action_and_note_as_a_row_and_every_reason() {
    let page = include_str!("../../../../docs/rollover.md");
    for name in Action::VARIANTS.iter().chain(Transition::VARIANTS) {
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
