//! Turns in which tags of keys vanish, or cannot be written.

use serde_json::json;

use crate::aws::Fails;
use crate::bench::{SIGNER, TurnBench, arn};

#[tokio::test(start_paused = true)]
async fn a_tag_that_something_removed_is_put_back_and_an_event_says_so() {
    let bench = TurnBench::new(|_| {}).await;
    bench.event().await;
    bench.aws.strip(&arn("c"));
    // The policies have settled.
    bench.set_clock(60);
    bench.later().await;
    let tags = bench.aws.key(&arn("c")).tags;
    assert_eq!(tags[rollover::tags::OWNER], "cluster/n/signer");
    let again = "tags 1 keys as this cluster's again (1/admit): something had removed the tags";
    let told = bench.api.notes();
    let healed = told.iter().filter(|note| note.contains(again));
    assert_eq!(healed.count(), 1, "{told:?}");
}

/// Fifty tags of others are on it.
#[tokio::test(start_paused = true)]
async fn a_key_that_takes_no_more_tags_is_named_and_keeps_no_revoked_image() {
    let bench = TurnBench::new(|_| {}).await;
    let full = Fails::Refused("LimitExceededException");
    bench.event().await;
    bench.aws.fail("TagResource", &arn("b"), full);
    bench.api.edit(SIGNER, |signer| {
        let word = format!("{} it leaked", "22".repeat(48));
        signer["metadata"]["annotations"] = json!({"chamber.dev/revoke": word});
    });
    bench.later().await;
    bench.later().await;
    for name in ["a", "b", "c"] {
        assert!(!bench.admits(name, "22"), "{name}: {}", bench.message());
    }
    let named = "Besides: key b: kms:TagResource failed with LimitExceededException";
    assert!(bench.message().contains(named), "{}", bench.message());
}
