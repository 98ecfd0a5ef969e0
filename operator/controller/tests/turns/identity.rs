//! Turns about who the operator is to the keys' holders: external ids, namespaces' uids, and keys of another owner.

use http::Method;
use serde_json::json;

use crate::api;
use crate::bench::{NAMESPACE, SIGNER, TurnBench, arn};

/// What holders' trust policies named before namespaces' uids were part of it.
const BEFORE: &str = "cluster/n/signer";
const NOW: &str = "cluster/n/n-uid/signer";

#[tokio::test(start_paused = true)]
async fn roles_are_assumed_with_the_namespaces_uid() {
    let bench = TurnBench::new(|_| {}).await;
    bench.aws.trust(NOW);
    bench.event().await;
    assert!(bench.admits("a", "22"), "{}", bench.message());
    assert!(bench.aws.asked().iter().all(|id| id == NOW));
    assert_eq!(bench.status()["externalId"], NOW);
    assert!(
        bench
            .api
            .notes()
            .iter()
            .all(|note| !note.contains("trust policy"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_trust_policy_of_before_goes_on_and_an_event_says_what_to_put_in_its_place() {
    let bench = TurnBench::new(|_| {}).await;
    bench.aws.trust(BEFORE);
    bench.event().await;
    assert!(bench.admits("a", "22"), "{}", bench.message());
    assert_eq!(bench.aws.asked()[..2], [NOW, BEFORE]);
    let events = bench.api.notes();
    let told = events.iter().filter(|note| {
        note.contains("ChamberKmsKeyAdmin") && note.contains(BEFORE) && note.contains(NOW)
    });
    assert!(told.count() >= 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_made_anew_is_not_trusted_as_the_one_before() {
    let bench = TurnBench::new(|_| {}).await;
    bench.aws.trust("cluster/n/gone/signer");
    bench.event().await;
    assert_eq!(bench.status()["reason"], "KeyUnreadable");
    let message = bench.message();
    assert!(
        message.contains("sts:AssumeRole failed with AccessDenied"),
        "{message}"
    );
    assert!(
        message.contains("external id that status.externalId shows"),
        "{message}"
    );
    assert_eq!(bench.status()["externalId"], NOW);
    assert_eq!(
        bench.aws.calls("PutKeyPolicy", "") + bench.aws.calls("TagResource", ""),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_cannot_be_read_is_said_and_nothing_is_touched() {
    let bench = TurnBench::new(|_| {}).await;
    let refused = api::Fails::Refused(403, "Forbidden");
    bench.api.fail(Method::GET, NAMESPACE, usize::MAX, refused);
    bench.event().await;
    assert_eq!(bench.status()["reason"], "ActionFailed");
    assert!(
        bench.message().contains("`get` of it"),
        "{}",
        bench.message()
    );
    assert_eq!(bench.aws.total(), 0);
    bench.api.heal();
    bench.later().await;
    assert!(bench.admits("a", "22"), "{}", bench.message());
}

#[tokio::test(start_paused = true)]
async fn keys_of_another_owner_are_taken_over_by_a_person_s_word_alone() {
    let bench = TurnBench::new(|_| {}).await;
    for name in ["a", "b", "c"] {
        bench
            .aws
            .tag(&arn(name), "chamber.dev/namespace-uid", "gone");
    }
    bench.event().await;
    assert_eq!(bench.status()["reason"], "KeyOwnedByAnother");
    assert_eq!(bench.aws.calls("TagResource", ""), 0);
    bench.api.edit(SIGNER, |signer| {
        let asked = json!({"chamber.dev/transfer-from": "cluster/n/gone/signer"});
        signer["metadata"]["annotations"] = asked;
    });
    bench.event().await;
    for name in ["a", "b", "c"] {
        let tags = bench.aws.key(&arn(name)).tags;
        assert_eq!(tags["chamber.dev/namespace-uid"], "n-uid");
        assert_eq!(tags["chamber.dev/owner"], BEFORE);
        assert!(bench.admits(name, "22"), "{}", bench.message());
    }
    let answer = &bench.status()["verbs"]["answer"];
    assert_eq!(answer, "keys of this cluster now: a, b, c");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_bound_takes_no_key_over() {
    let bindings = r#"[{"namespaces": ["other"], "keys": ["*"], "roles": ["*"]}]"#;
    let bench = TurnBench::with(&["--bindings", bindings], |signer| {
        let asked = json!({"chamber.dev/transfer-from": "cluster/n/gone/signer"});
        signer["metadata"]["annotations"] = asked;
    })
    .await;
    for name in ["a", "b", "c"] {
        bench
            .aws
            .tag(&arn(name), "chamber.dev/namespace-uid", "gone");
    }
    for _ in 0..3 {
        bench.later().await;
    }
    assert_eq!(
        bench.status()["reason"],
        "NamespaceNotBound",
        "{}",
        bench.message()
    );
    assert_eq!(bench.aws.calls("TagResource", ""), 0);
    assert_eq!(bench.status()["verbs"]["transfer"], json!(null));
}
