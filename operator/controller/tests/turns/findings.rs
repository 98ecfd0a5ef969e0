//! Turns in which a key has something beside its policy: it is told, it stops nothing, and it is asked seldom.

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::Fails;
use crate::bench::{SIGNER, TurnBench, arn};

const GRANT: &str = "grant: grant 2 gives Decrypt to arn:aws:iam::111122223333:role/Backup: it goes round the Allow statements, not round a Deny. Take it back by RevokeGrant with this grant id, unless it is meant";

/// Findings of a key, by its place in the spec.
fn findings(bench: &TurnBench, index: usize) -> Value {
    bench.status()["keys"][index]["findings"].clone()
}

fn lists(bench: &TurnBench) -> usize {
    bench.aws.calls("ListGrants", &arn("a"))
}

/// Key a has two grants, the second of which opens it.
async fn granted() -> TurnBench {
    let bench = TurnBench::new(|_| {}).await;
    bench.aws.grant(&arn("a"), "1", &["DescribeKey"]);
    bench.aws.grant(&arn("a"), "2", &["Decrypt"]);
    bench
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_told_and_stops_nothing() {
    let bench = granted().await;
    bench.event().await;
    assert_eq!(findings(&bench, 0), json!([GRANT]));
    assert_eq!(findings(&bench, 1), Value::Null);
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
    assert!(bench.admits("a", "22"), "admitted all the same");
}

#[tokio::test(start_paused = true)]
async fn lists_are_kept_for_minutes_although_keys_are_read_again_and_again() {
    let bench = granted().await;
    bench.event().await;
    let (reads, listed) = (bench.aws.calls("GetKeyPolicy", &arn("a")), lists(&bench));
    assert!(reads > 2, "{reads}");
    assert_eq!(listed, 2, "two pages, once");
    // A person may have cured it: what is wrong is asked again in time.
    bench
        .aws
        .fail("PutKeyPolicy", "", Fails::Refused("AccessDeniedException"));
    for _ in 0..4 {
        bench.later().await;
    }
    assert_eq!(lists(&bench), listed);
    tokio::time::advance(Duration::from_mins(2)).await;
    look_again(&bench);
    bench.event().await;
    assert_eq!(lists(&bench), 2 * listed);
}

/// The keys are read anew for a person's word.
fn look_again(bench: &TurnBench) {
    bench.api.edit(SIGNER, |signer| {
        let word = format!("{} it leaks", "33".repeat(48));
        signer["metadata"]["annotations"] = json!({"chamber.dev/revoke": word});
    });
}

/// A role from before: its policy has neither of the two permissions.
#[tokio::test(start_paused = true)]
async fn an_operator_whose_role_may_not_list_goes_on_with_a_note() {
    let bench = granted().await;
    for operation in ["ListGrants", "ListKeyPolicies"] {
        bench
            .aws
            .fail(operation, "", Fails::Refused("AccessDeniedException"));
    }
    bench.event().await;
    let note = |permission: &str, what: &str| {
        format!(
            "facts-not-read: {permission} on the key fails with AccessDeniedException: {what} not looked for. Allow {permission} to the role that reads the key"
        )
    };
    let expected = json!([
        note("kms:ListKeyPolicies", "a second policy was"),
        note("kms:ListGrants", "its grants were"),
    ]);
    for index in 0..3 {
        assert_eq!(findings(&bench, index), expected);
    }
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
    assert!(bench.admits("a", "22"));
    assert_eq!(lists(&bench), 1, "a refusal is kept, too");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_hides_nothing_that_was_known() {
    let bench = granted().await;
    bench.event().await;
    let known = findings(&bench, 0);
    assert_eq!(known.as_array().unwrap().len(), 1);
    bench
        .aws
        .fail("ListGrants", "", Fails::Refused("ThrottlingException"));
    tokio::time::advance(Duration::from_mins(6)).await;
    look_again(&bench);
    let before = lists(&bench);
    bench.event().await;
    assert!(lists(&bench) > before, "it was asked");
    assert_eq!(findings(&bench, 0), known);
}

#[tokio::test(start_paused = true)]
async fn lists_that_do_not_come_hold_no_turn_up_for_long() {
    let bench = granted().await;
    bench.aws.fail("ListGrants", "", Fails::Lost);
    let before = tokio::time::Instant::now();
    bench.event().await;
    assert!(before.elapsed() < Duration::from_secs(8));
    let told = findings(&bench, 0)[0].as_str().unwrap().to_owned();
    assert!(
        told.contains("kms:ListGrants on the key fails with NoAnswer"),
        "{told}"
    );
    assert!(bench.admits("a", "22"));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_grants_are_ten_lines_and_how_to_see_the_rest() {
    let bench = TurnBench::new(|_| {}).await;
    for index in 0..100 {
        bench
            .aws
            .grant(&arn("a"), &format!("{index:03}"), &["Decrypt"]);
    }
    bench.event().await;
    let told = findings(&bench, 0);
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 11);
    assert_eq!(
        told[10],
        format!(
            "and 90 more: `kubectl chamber policy lint {}` tells them all",
            arn("a")
        )
    );
}
