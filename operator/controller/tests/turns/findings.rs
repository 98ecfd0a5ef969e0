//! Turns in which a key has something beside its policy: it is told, it stops nothing, and it is asked seldom.

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::Fails;
use crate::rig::{Rig, SIGNER, arn};

const GRANT: &str = "grant: grant 2 gives Decrypt to arn:aws:iam::111122223333:role/Backup: it goes round the Allow statements, not round a Deny. Take it back by RevokeGrant with this grant id, unless it is meant";

/// Findings of a key, by its place in the spec.
fn findings(rig: &Rig, index: usize) -> Value {
    rig.status()["keys"][index]["findings"].clone()
}

fn lists(rig: &Rig) -> usize {
    rig.aws.calls("ListGrants", &arn("a"))
}

/// Key a has two grants, the second of which opens it.
async fn granted() -> Rig {
    let rig = Rig::new(|_| {}).await;
    rig.aws.grant(&arn("a"), "1", &["DescribeKey"]);
    rig.aws.grant(&arn("a"), "2", &["Decrypt"]);
    rig
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_told_and_stops_nothing() {
    let rig = granted().await;
    rig.event().await;
    assert_eq!(findings(&rig, 0), json!([GRANT]));
    assert_eq!(findings(&rig, 1), Value::Null);
    assert_eq!(rig.status()["reason"], "Settling", "{}", rig.message());
    assert!(rig.admits("a", "22"), "admitted all the same");
}

#[tokio::test(start_paused = true)]
async fn lists_are_kept_for_minutes_although_keys_are_read_again_and_again() {
    let rig = granted().await;
    rig.event().await;
    let (reads, listed) = (rig.aws.calls("GetKeyPolicy", &arn("a")), lists(&rig));
    assert!(reads > 2, "{reads}");
    assert_eq!(listed, 2, "two pages, once");
    // A person may have cured it: what is wrong is asked again in time.
    rig.aws
        .fail("PutKeyPolicy", "", Fails::Refused("AccessDeniedException"));
    for _ in 0..4 {
        rig.later().await;
    }
    assert_eq!(lists(&rig), listed);
    tokio::time::advance(Duration::from_mins(2)).await;
    look_again(&rig);
    rig.event().await;
    assert_eq!(lists(&rig), 2 * listed);
}

/// The keys are read anew for a person's word.
fn look_again(rig: &Rig) {
    rig.api.edit(SIGNER, |signer| {
        let word = format!("{} it leaks", "33".repeat(48));
        signer["metadata"]["annotations"] = json!({"chamber.dev/revoke": word});
    });
}

/// A role from before: its policy has neither of the two permissions.
#[tokio::test(start_paused = true)]
async fn an_operator_whose_role_may_not_list_goes_on_with_a_note() {
    let rig = granted().await;
    for operation in ["ListGrants", "ListKeyPolicies"] {
        rig.aws
            .fail(operation, "", Fails::Refused("AccessDeniedException"));
    }
    rig.event().await;
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
        assert_eq!(findings(&rig, index), expected);
    }
    assert_eq!(rig.status()["reason"], "Settling", "{}", rig.message());
    assert!(rig.admits("a", "22"));
    assert_eq!(lists(&rig), 1, "a refusal is kept, too");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_hides_nothing_that_was_known() {
    let rig = granted().await;
    rig.event().await;
    let known = findings(&rig, 0);
    assert_eq!(known.as_array().unwrap().len(), 1);
    rig.aws
        .fail("ListGrants", "", Fails::Refused("ThrottlingException"));
    tokio::time::advance(Duration::from_mins(6)).await;
    look_again(&rig);
    let before = lists(&rig);
    rig.event().await;
    assert!(lists(&rig) > before, "it was asked");
    assert_eq!(findings(&rig, 0), known);
}

#[tokio::test(start_paused = true)]
async fn lists_that_do_not_come_hold_no_turn_up_for_long() {
    let rig = granted().await;
    rig.aws.fail("ListGrants", "", Fails::Lost);
    let before = tokio::time::Instant::now();
    rig.event().await;
    assert!(before.elapsed() < Duration::from_secs(8));
    let told = findings(&rig, 0)[0].as_str().unwrap().to_owned();
    assert!(
        told.contains("kms:ListGrants on the key fails with NoAnswer"),
        "{told}"
    );
    assert!(rig.admits("a", "22"));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_grants_are_ten_lines_and_how_to_see_the_rest() {
    let rig = Rig::new(|_| {}).await;
    for index in 0..100 {
        rig.aws
            .grant(&arn("a"), &format!("{index:03}"), &["Decrypt"]);
    }
    rig.event().await;
    let told = findings(&rig, 0);
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
