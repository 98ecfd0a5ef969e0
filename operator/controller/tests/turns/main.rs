//! Whole turns of the operator against an API server and KMS in memory: no cluster, no sockets, no real waiting.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod api;
mod aws;
mod bench;
mod desired;
mod findings;
mod gate;
mod identity;
mod manifests;
mod objects;
mod tags;
mod told;
mod watches;

use std::time::Duration;

use futures::{StreamExt, stream};
use http::Method;
use kube::runtime::controller::{self, Action as Requeue};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use serde_json::json;

use bench::{SIGNER, STATUS, TurnBench, arn};

const PUT: &str = "PutKeyPolicy";

#[tokio::test(start_paused = true)]
async fn a_rollover_admits_and_then_waits() {
    let bench = TurnBench::new(|_| {}).await;
    bench.event().await;
    for key in ["a", "b", "c"] {
        assert!(bench.admits(key, "11") && bench.admits(key, "22"), "{key}");
        assert_eq!(bench.aws.calls(PUT, &arn(key)), 1);
    }
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
}

#[tokio::test(start_paused = true)]
async fn a_lasting_refusal_is_said_once_and_tried_after_growing_pauses() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail(PUT, "", aws::Fails::Refused("AccessDeniedException"));
    bench.event().await;
    let (message, writes) = (bench.message(), bench.status_writes());
    assert_eq!(
        message.split("; ").next().unwrap(),
        "key a: kms:PutKeyPolicy failed with AccessDeniedException (User u is not authorized). Allow the call to the role in the key's policy and in the role's own policies"
    );
    assert_eq!(message.split("; ").count(), 3);
    // Our own status comes back as an event, pods come and go: nothing is tried before the pause is over.
    let puts = bench.aws.calls(PUT, "");
    for _ in 0..100 {
        let requeue = bench.event().await;
        assert_ne!(requeue, Requeue::await_change());
    }
    assert_eq!(bench.aws.calls(PUT, ""), puts);
    bench.later().await;
    assert_eq!(bench.aws.calls(PUT, ""), 2 * puts);
    assert_eq!(bench.message(), message);
    assert_eq!(bench.status_writes(), writes + 1, "Stalled, as it lasts");
    bench.later().await;
    bench.later().await;
    assert_eq!(
        bench.status_writes(),
        writes + 1,
        "the same is not written again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_events_under_a_lasting_refusal_has_a_handful_of_turns() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail(PUT, "", aws::Fails::Refused("AccessDeniedException"));
    for _ in 0..600 {
        bench.event().await;
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let puts = bench.aws.calls(PUT, &arn("a"));
    assert!((4..=8).contains(&puts), "{puts}");
}

/// `kube-runtime`'s own scheduler, woken ten times a second (or once) for a minute.
async fn woken(bench: &TurnBench, once: bool) {
    let (store, mut writer) = kube::runtime::reflector::store();
    let signer: chamber_api::ChamberCluster =
        serde_json::from_value(bench.api.get(SIGNER).unwrap()).unwrap();
    let wake = ObjectRef::from_obj(&signer);
    writer.apply_watcher_event(&watcher::Event::Init);
    writer.apply_watcher_event(&watcher::Event::InitApply(signer));
    writer.apply_watcher_event(&watcher::Event::InitDone);
    let times = if once { 1 } else { 600 };
    let events = stream::iter(0..times).then(async |_| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, watcher::Error>(wake.clone())
    });
    let events = events.chain(stream::pending());
    let runs = controller::applier(
        |seen, ctx| Box::pin(chamber_operator::reconcile::reconcile(seen, ctx)),
        chamber_operator::reconcile::on_error,
        bench.ctx.clone(),
        store,
        Box::pin(events),
        controller::Config::default(),
    );
    let minute = tokio::time::sleep(Duration::from_secs(62));
    runs.take_until(minute).for_each(async |_| {}).await;
}

#[tokio::test(start_paused = true)]
async fn the_pause_holds_in_kube_runtime_and_ends_without_an_event() {
    for once in [false, true] {
        let bench = TurnBench::new(|_| {}).await;
        bench
            .aws
            .fail(PUT, "", aws::Fails::Refused("AccessDeniedException"));
        woken(&bench, once).await;
        // At 0, 4, 8, 16 and 32 seconds.
        assert_eq!(bench.aws.calls(PUT, &arn("a")), 5, "woken once: {once}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_resource_ends_the_pause() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail(PUT, "", aws::Fails::Refused("AccessDeniedException"));
    bench.event().await;
    bench.event().await;
    assert_eq!(bench.aws.calls(PUT, &arn("a")), 1);
    bench.api.edit(SIGNER, |signer| {
        signer["metadata"]["annotations"] = json!({"chamber.dev/retry": "1"});
    });
    bench.aws.heal();
    bench.event().await;
    assert!(bench.admits("a", "22"));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_ends_no_wait_early_and_has_the_keys_read_again() {
    let bench = TurnBench::new(|_| {}).await;
    let reads = || bench.aws.calls("GetKeyPolicy", &arn("a"));
    let sets = || bench.api.calls(&Method::POST, "/replicasets");
    for _ in 0..4 {
        bench.event().await;
    }
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
    bench.set_clock(-3_600);
    bench.later().await;
    assert_eq!(
        (bench.status()["reason"].as_str(), sets()),
        (Some("Settling"), 0)
    );
    let read = reads();
    bench.set_clock(3_600);
    bench.later().await;
    assert!(sets() > 0, "{}", bench.message());
    assert!(
        reads() > read,
        "a start rests on keys that were read just now"
    );
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_assumed_is_said_the_same_way_each_time() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail("AssumeRole", "", aws::Fails::Refused("AccessDenied"));
    bench.event().await;
    let (message, writes) = (bench.message(), bench.status_writes());
    assert!(
        message.contains("key a: sts:AssumeRole failed with AccessDenied (User u is not authorized). Check assumeRoleArn"),
        "{message}"
    );
    for _ in 0..4 {
        bench.ctx.keep_reading("u", None);
        bench.later().await;
    }
    assert!(bench.aws.calls("AssumeRole", "") > 3, "it was tried again");
    assert_eq!(bench.message(), message);
    assert_eq!(bench.status_writes(), writes + 1, "Stalled, as it lasts");
}

#[tokio::test(start_paused = true)]
async fn one_key_that_refuses_holds_up_itself_alone() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail(PUT, &arn("b"), aws::Fails::Refused("AccessDeniedException"));
    bench.event().await;
    assert!(bench.admits("a", "22") && !bench.admits("b", "22") && bench.admits("c", "22"));
    let status = bench.status();
    assert_eq!(
        status["keyWrites"].as_array().unwrap().len(),
        2,
        "the others' writes count"
    );
    assert!(
        bench.message().starts_with("key b: "),
        "{}",
        bench.message()
    );
    bench.later().await;
    let writes = bench.status_writes();
    bench.later().await;
    let tried = ["a", "b", "c"].map(|key| bench.aws.calls(PUT, &arn(key)));
    assert_eq!(tried, [1, 3, 1]);
    assert_eq!(bench.status_writes(), writes);
    bench.aws.heal();
    bench.later().await;
    assert!(bench.admits("b", "22"));
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
}

/// What one key refuses is no reason to leave an image in the others, or to wait with what follows.
#[tokio::test(start_paused = true)]
async fn a_key_that_refuses_holds_up_no_verb() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail(PUT, &arn("b"), aws::Fails::Refused("AccessDeniedException"));
    bench.event().await;
    assert_eq!(
        bench.status()["reason"],
        "KeyRefusesWrite",
        "{}",
        bench.message()
    );
    bench.api.edit(SIGNER, |signer| {
        let image = "22".repeat(48);
        signer["metadata"]["annotations"] =
            json!({"chamber.dev/revoke": format!("{image} it leaked")});
    });
    bench.event().await;
    bench.later().await;
    for name in ["a", "b", "c"] {
        assert!(!bench.admits(name, "22"), "{name}: {}", bench.message());
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_found_and_not_repeated() {
    let bench = TurnBench::new(|_| {}).await;
    bench.aws.fail(PUT, &arn("b"), aws::Fails::Lost);
    bench.event().await;
    assert_eq!(bench.aws.calls(PUT, &arn("b")), 1);
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
}

#[tokio::test(start_paused = true)]
async fn the_error_of_an_action_is_not_hidden_by_a_status_that_cannot_be_written() {
    let bench = TurnBench::new(|_| {}).await;
    let fails = aws::Fails::Refused("KMSInternalException");
    bench.aws.fail(PUT, "", fails);
    bench.event().await;
    bench.api.fail(
        Method::PATCH,
        STATUS,
        9,
        api::Fails::Refused(500, "InternalError"),
    );
    let seen = serde_json::from_value(bench.api.get(SIGNER).unwrap()).unwrap();
    tokio::time::advance(Duration::from_mins(1)).await;
    bench.api.edit(SIGNER, |signer| {
        signer["status"]["message"] = json!("another");
    });
    let turn = chamber_operator::reconcile::reconcile(std::sync::Arc::new(seen), bench.ctx.clone());
    let error = Box::pin(turn).await.unwrap_err().to_string();
    assert!(error.contains("KMSInternalException"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_ends_the_turn_in_time() {
    let bench = TurnBench::new(|_| {}).await;
    bench.api.fail(Method::GET, "/pods", 1, api::Fails::Lost);
    let before = tokio::time::Instant::now();
    bench.event().await;
    assert_eq!(before.elapsed().as_secs(), 15);
    assert_eq!(
        bench.message(),
        "Kubernetes API: no answer to GET /api/v1/namespaces/n/pods within 15 s"
    );
    bench.later().await;
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_looked_at_again_at_once_and_one_for_ever_is_not() {
    let bench = TurnBench::new(|_| {}).await;
    bench.api.fail(
        Method::PATCH,
        STATUS,
        2,
        api::Fails::Refused(409, "Conflict"),
    );
    bench.event().await;
    assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());

    let bench = TurnBench::new(|_| {}).await;
    bench.api.fail(
        Method::PATCH,
        STATUS,
        1000,
        api::Fails::Refused(409, "Conflict"),
    );
    for _ in 0..10 {
        bench.event().await;
    }
    assert_eq!(bench.status_writes(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_goes_in_mid_turn_is_let_go() {
    let bench = TurnBench::new(|_| {}).await;
    bench.api.fail(Method::PATCH, STATUS, 1, api::Fails::Gone);
    assert_eq!(bench.event().await, Requeue::await_change());
    assert_eq!(
        bench.aws.calls(PUT, ""),
        0,
        "nothing is done for it any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_that_exists_and_cannot_be_read_is_no_loop() {
    let bench =
        TurnBench::new(|signer| signer["spec"]["rollover"] = json!({"settleTime": "0s"})).await;
    let revision = bench.status()["rollover"]["to"]["revision"].clone();
    let name = format!("signer-{}", revision.as_str().unwrap());
    let sets = "/apis/apps/v1/namespaces/n/replicasets";
    bench.api.put(
        &format!("{sets}/{name}"),
        json!({"metadata": {"name": name, "annotations": {"chamber.dev/release": "{"},
            "labels": {"chamber.dev/cluster": "signer", "chamber.dev/role": "chamber"}}}),
    );
    for _ in 0..100 {
        bench.event().await;
    }
    let made = bench.api.calls(&Method::POST, "/replicasets");
    assert!((1..=2).contains(&made), "{made}: {}", bench.message());
    assert_eq!(bench.status()["reason"], "NotOurs", "{}", bench.message());
}

mod hindered {
    //! Something is wrong before the plan; deletion and revocation go on, and it is reported.

    use super::*;

    const BAD: &str = "soon";

    fn settle_time(signer: &mut serde_json::Value) {
        signer["spec"]["rollover"] = json!({"settleTime": BAD});
    }

    fn revoke(bench: &TurnBench) {
        bench.api.edit(SIGNER, |signer| {
            let word = format!("{} it leaks", "22".repeat(48));
            signer["metadata"]["annotations"] = json!({"chamber.dev/revoke": word});
        });
    }

    /// Every key is ours and admits both images.
    async fn admitted() -> TurnBench {
        let bench = TurnBench::new(|_| {}).await;
        bench.event().await;
        bench
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_of_the_spec_is_reported_and_holds_no_deletion() {
        let bench = admitted().await;
        bench.api.edit(SIGNER, settle_time);
        bench.event().await;
        assert_eq!(bench.status()["reason"], "InvalidSpec");
        assert!(
            bench
                .message()
                .contains("spec.rollover.settleTime is \"soon\"")
        );
        bench.delete();
        bench.event().await;
        assert!(!bench.is_there());
        for key in ["a", "b", "c"] {
            assert!(bench.admits(key, "11") && !bench.admits(key, "22"), "{key}");
        }
    }

    /// `Unknown` is right while the spec cannot be read; a cluster that seals by itself has no such condition.
    #[tokio::test(start_paused = true)]
    async fn a_cured_fault_leaves_no_condition_that_the_cluster_does_not_have() {
        let conditions = |bench: &TurnBench| -> Vec<String> {
            let conditions = bench.status()["conditions"].clone();
            let kinds = conditions.as_array().unwrap().iter();
            kinds
                .map(|condition| condition["type"].as_str().unwrap().to_owned())
                .collect()
        };
        let own = "ManifestBinding".to_owned();
        let theirs = "example.com/Audited".to_owned();
        let bench = admitted().await;
        assert!(!conditions(&bench).contains(&own));
        bench.api.edit(SIGNER, |signer| {
            settle_time(signer);
            let since = signer["status"]["conditions"][0]["lastTransitionTime"].clone();
            let audited = json!({"type": theirs, "status": "True", "reason": "Read", "message": "",
                "lastTransitionTime": since});
            let conditions = signer["status"]["conditions"].as_array_mut().unwrap();
            conditions.push(audited);
        });
        bench.event().await;
        assert_eq!(bench.status()["reason"], "InvalidSpec");
        assert!(conditions(&bench).contains(&own));
        bench.api.edit(SIGNER, |signer| {
            signer["spec"]["rollover"] = json!({});
        });
        bench.later().await;
        assert_eq!(bench.status()["reason"], "Settling", "{}", bench.message());
        let found = conditions(&bench);
        assert!(!found.contains(&own), "{found:?}");
        assert!(found.contains(&theirs), "somebody else's: {found:?}");
        assert!(found.contains(&"RetirementBinding".to_owned()), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_spec_of_which_nothing_can_be_used_says_what_its_deletion_leaves() {
        let bench = admitted().await;
        bench.api.edit(SIGNER, |signer| {
            for share in signer["spec"]["keys"]["shares"].as_array_mut().unwrap() {
                share["arn"] = json!(format!("alias/{}", share["name"]));
            }
        });
        bench.event().await;
        assert_eq!(bench.status()["reason"], "InvalidSpec");
        bench.delete();
        bench.event().await;
        assert!(!bench.is_there());
        let events = bench.api.notes();
        assert!(
            events
                .iter()
                .any(|note| note.starts_with("allows deletion, but spec.keys.shares[a].arn")),
            "{events:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_of_the_spec_holds_no_revocation() {
        let bench = admitted().await;
        bench.api.edit(SIGNER, settle_time);
        bench.event().await;
        revoke(&bench);
        bench.event().await;
        for key in ["a", "b", "c"] {
            assert!(bench.admits(key, "11") && !bench.admits(key, "22"), "{key}");
        }
        assert_eq!(
            bench.status()["reason"],
            "InvalidSpec",
            "the fault is still told"
        );
        assert_eq!(bench.status()["revoked"], json!(["22".repeat(48)]));
    }

    const OTHERS: &str = r#"[{"namespaces": ["other"], "keys": ["*"], "roles": ["*"]}]"#;

    #[tokio::test(start_paused = true)]
    async fn a_withdrawn_binding_is_reported_and_holds_no_deletion() {
        let bench = TurnBench::with(&["--bindings", OTHERS], |_| {}).await;
        bench.event().await;
        assert_eq!(bench.status()["reason"], "NamespaceNotBound");
        bench.delete();
        bench.event().await;
        assert!(!bench.is_there());
        assert_eq!(bench.aws.total(), 0, "the keys are not the namespace's");
    }

    #[tokio::test(start_paused = true)]
    async fn objects_that_cannot_be_made_are_reported_and_hold_no_revocation() {
        let bench = admitted().await;
        let refused = api::Fails::Refused(403, "Forbidden");
        bench
            .api
            .edit("/api/v1/namespaces/n/services/signer", |service| {
                service["metadata"]["annotations"] = json!({});
            });
        bench
            .api
            .fail(Method::PATCH, "/services/signer", 99, refused);
        bench.event().await;
        assert!(
            bench.message().contains("Kubernetes API: Forbidden (403)"),
            "{}",
            bench.message()
        );
        revoke(&bench);
        bench.event().await;
        assert!(!bench.admits("a", "22"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_observed_is_reported_and_holds_no_revocation() {
        let bench = admitted().await;
        let refused = api::Fails::Refused(403, "Forbidden");
        bench.api.fail(Method::GET, "/pods", 99, refused);
        bench.event().await;
        assert_eq!(bench.status()["reason"], "ActionFailed");
        assert!(
            bench
                .message()
                .starts_with("Kubernetes API: Forbidden (403)")
        );
        revoke(&bench);
        bench.event().await;
        assert!(!bench.admits("a", "22"));
        // Which chambers run decides what stays: the deletion waits for that, and goes on then.
        bench.delete();
        bench.event().await;
        assert!(bench.is_there());
        bench.api.heal();
        bench.later().await;
        assert!(!bench.is_there());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_with_a_fault_of_the_spec_still_waits_for_what_runs() {
        let bench = admitted().await;
        bench.api.edit(SIGNER, settle_time);
        bench.api.fail(
            Method::GET,
            "/pods",
            99,
            api::Fails::Refused(500, "InternalError"),
        );
        bench.delete();
        bench.event().await;
        assert!(bench.is_there() && bench.admits("a", "22"));
        bench.api.heal();
        bench.later().await;
        assert!(!bench.is_there());
    }
}
