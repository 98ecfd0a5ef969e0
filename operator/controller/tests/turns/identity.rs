//! Turns about who the operator is to the keys' holders: external ids, namespaces' uids, and keys of another owner.

use http::Method;
use serde_json::json;

use crate::api;
use crate::rig::{NAMESPACE, Rig, SIGNER, arn};

/// What holders' trust policies named before namespaces' uids were part of it.
const BEFORE: &str = "cluster/n/signer";
const NOW: &str = "cluster/n/n-uid/signer";

#[tokio::test(start_paused = true)]
async fn roles_are_assumed_with_the_namespaces_uid() {
    let rig = Rig::new(|_| {}).await;
    rig.aws.trust(NOW);
    rig.event().await;
    assert!(rig.admits("a", "22"), "{}", rig.message());
    assert!(rig.aws.asked().iter().all(|id| id == NOW));
    assert_eq!(rig.status()["externalId"], NOW);
    assert!(
        rig.api
            .notes()
            .iter()
            .all(|note| !note.contains("trust policy"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_trust_policy_of_before_goes_on_and_an_event_says_what_to_put_in_its_place() {
    let rig = Rig::new(|_| {}).await;
    rig.aws.trust(BEFORE);
    rig.event().await;
    assert!(rig.admits("a", "22"), "{}", rig.message());
    assert_eq!(rig.aws.asked()[..2], [NOW, BEFORE]);
    let events = rig.api.notes();
    let told = events.iter().filter(|note| {
        note.contains("ChamberKmsKeyAdmin") && note.contains(BEFORE) && note.contains(NOW)
    });
    assert!(told.count() >= 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_made_anew_is_not_trusted_as_the_one_before() {
    let rig = Rig::new(|_| {}).await;
    rig.aws.trust("cluster/n/gone/signer");
    rig.event().await;
    assert_eq!(rig.status()["reason"], "KeyUnreadable");
    let message = rig.message();
    assert!(
        message.contains("sts:AssumeRole failed with AccessDenied"),
        "{message}"
    );
    assert!(
        message.contains("external id that status.externalId shows"),
        "{message}"
    );
    assert_eq!(rig.status()["externalId"], NOW);
    assert_eq!(
        rig.aws.calls("PutKeyPolicy", "") + rig.aws.calls("TagResource", ""),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_cannot_be_read_is_said_and_nothing_is_touched() {
    let rig = Rig::new(|_| {}).await;
    let refused = api::Fails::Refused(403, "Forbidden");
    rig.api.fail(Method::GET, NAMESPACE, usize::MAX, refused);
    rig.event().await;
    assert_eq!(rig.status()["reason"], "ActionFailed");
    assert!(rig.message().contains("`get` of it"), "{}", rig.message());
    assert_eq!(rig.aws.total(), 0);
    rig.api.heal();
    rig.later().await;
    assert!(rig.admits("a", "22"), "{}", rig.message());
}

#[tokio::test(start_paused = true)]
async fn keys_of_another_owner_are_taken_over_by_a_person_s_word_alone() {
    let rig = Rig::new(|_| {}).await;
    for name in ["a", "b", "c"] {
        rig.aws.tag(&arn(name), "chamber.dev/namespace-uid", "gone");
    }
    rig.event().await;
    assert_eq!(rig.status()["reason"], "KeyOwnedByAnother");
    assert_eq!(rig.aws.calls("TagResource", ""), 0);
    rig.api.edit(SIGNER, |signer| {
        let asked = json!({"chamber.dev/transfer-from": "cluster/n/gone/signer"});
        signer["metadata"]["annotations"] = asked;
    });
    rig.event().await;
    for name in ["a", "b", "c"] {
        let tags = rig.aws.key(&arn(name)).tags;
        assert_eq!(tags["chamber.dev/namespace-uid"], "n-uid");
        assert_eq!(tags["chamber.dev/owner"], BEFORE);
        assert!(rig.admits(name, "22"), "{}", rig.message());
    }
    let answer = &rig.status()["verbs"]["answer"];
    assert_eq!(answer, "keys of this cluster now: a, b, c");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_bound_takes_no_key_over() {
    let bindings = r#"[{"namespaces": ["other"], "keys": ["*"], "roles": ["*"]}]"#;
    let rig = Rig::with(&["--bindings", bindings], |signer| {
        let asked = json!({"chamber.dev/transfer-from": "cluster/n/gone/signer"});
        signer["metadata"]["annotations"] = asked;
    })
    .await;
    for name in ["a", "b", "c"] {
        rig.aws.tag(&arn(name), "chamber.dev/namespace-uid", "gone");
    }
    for _ in 0..3 {
        rig.later().await;
    }
    assert_eq!(
        rig.status()["reason"],
        "NamespaceNotBound",
        "{}",
        rig.message()
    );
    assert_eq!(rig.aws.calls("TagResource", ""), 0);
    assert_eq!(rig.status()["verbs"]["transfer"], json!(null));
}
