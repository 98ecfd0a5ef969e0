//! What is told of turns: Events on what lasts, and the metrics of calls.

use http::Method;
use serde_json::{Value, json};

use crate::api;
use crate::aws::Fails;
use crate::bench::{SIGNER, TurnBench};

/// Events of this reason.
fn of(bench: &TurnBench, reason: &str) -> Vec<Value> {
    let all = bench.api.events().into_iter();
    all.filter(|event| event["reason"] == reason).collect()
}

/// The status of a condition.
fn condition(bench: &TurnBench, kind: &str) -> Value {
    let status = bench.status();
    let mut all = status["conditions"].as_array().into_iter().flatten();
    let found = all.find(|found| found["type"] == kind);
    found.map_or(Value::Null, |found| found["status"].clone())
}

#[tokio::test(start_paused = true)]
async fn one_call_that_fails_needs_no_cure_and_one_that_goes_on_failing_does() {
    for (call, code, reason) in [
        ("GetKeyPolicy", "ThrottlingException", "KeyUnreadable"),
        ("PutKeyPolicy", "AccessDeniedException", "KeyRefusesWrite"),
    ] {
        let bench = TurnBench::new(|_| {}).await;
        bench.aws.fail(call, "", Fails::Refused(code));
        bench.event().await;
        assert_eq!(bench.status()["reason"], reason);
        assert_eq!(condition(&bench, "Stalled"), "False", "{reason}");
        for _ in 0..4 {
            bench.later().await;
        }
        assert_eq!(condition(&bench, "Stalled"), "True", "{reason}");
        bench.aws.heal();
        bench.ctx.keep_reading("u", None);
        bench.later().await;
        bench.later().await;
        assert_eq!(condition(&bench, "Stalled"), "False", "{}", bench.message());
    }
}

/// kstatus takes a resource for done that is neither stalled nor reconciling.
#[tokio::test(start_paused = true)]
async fn a_release_that_was_not_begun_yet_is_reconciling() {
    let bench = TurnBench::new(|signer| {
        signer["status"].as_object_mut().unwrap().remove("rollover");
    })
    .await;
    let refused = Fails::Refused("AccessDeniedException");
    bench.aws.fail("GetKeyPolicy", "", refused);
    bench.event().await;
    assert_eq!(bench.status()["reason"], "KeyUnreadable");
    assert_eq!(condition(&bench, "Stalled"), "False");
    assert_eq!(condition(&bench, "Reconciling"), "True");
    bench.later().await;
    assert_eq!(condition(&bench, "Stalled"), "True");
    assert_eq!(condition(&bench, "Reconciling"), "False");
}

/// The next leader has not seen for itself how long it lasts, and status says so.
#[tokio::test(start_paused = true)]
async fn another_leader_goes_on_calling_stalled_what_is() {
    let refused = Fails::Refused("AccessDeniedException");
    let first = TurnBench::new(|_| {}).await;
    first.aws.fail("GetKeyPolicy", "", refused);
    first.event().await;
    first.later().await;
    assert_eq!(condition(&first, "Stalled"), "True");
    let next = TurnBench::new(|signer| signer["status"] = first.status()).await;
    next.aws.fail("GetKeyPolicy", "", refused);
    next.event().await;
    assert_eq!(condition(&next, "Stalled"), "True");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_looked_at_is_neither_ready_nor_unready() {
    let bench = TurnBench::new(|_| {}).await;
    bench.event().await;
    assert_eq!(condition(&bench, "Ready"), "False", "no chamber runs yet");
    let refused = api::Fails::Refused(403, "Forbidden");
    bench.api.fail(Method::GET, "/pods", 99, refused);
    bench.event().await;
    assert_eq!(condition(&bench, "Ready"), "Unknown");
    bench.api.edit(SIGNER, |signer| {
        signer["spec"]["keys"]["threshold"] = json!(9);
    });
    bench.event().await;
    assert_eq!(condition(&bench, "Ready"), "False", "{}", bench.message());
}

#[tokio::test(start_paused = true)]
async fn what_lasts_is_one_event_with_a_count_and_not_one_a_turn() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail("PutKeyPolicy", "", Fails::Refused("AccessDeniedException"));
    bench.event().await;
    assert_eq!(
        of(&bench, "KeyRefusesWrite"),
        Vec::<Value>::new(),
        "too soon"
    );
    for _ in 0..9 {
        bench.later().await;
    }
    let [event] = of(&bench, "KeyRefusesWrite").try_into().unwrap();
    assert_eq!(event["note"], bench.message());
    assert_eq!(event["action"], "Admit");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["regarding"]["name"], "signer");
    assert_eq!(event["series"]["count"], 2, "after a minute, and after six");
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_cure_is_a_warning_and_what_a_person_asked_for_is_none() {
    let bench = TurnBench::new(|_| {}).await;
    bench.api.edit(SIGNER, |signer| {
        signer["spec"]["rollover"] = json!({"paused": true});
    });
    bench.event().await;
    bench.later().await;
    let [paused] = of(&bench, "Paused").try_into().unwrap();
    assert_eq!(paused["type"], "Normal");
    bench.api.edit(SIGNER, |signer| {
        signer["spec"]["keys"]["threshold"] = json!(9);
    });
    bench.event().await;
    bench.later().await;
    let [wrong] = of(&bench, "ThresholdTooHigh").try_into().unwrap();
    assert_eq!(wrong["type"], "Warning");
    assert_eq!(of(&bench, "Paused").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_to_both_sides_are_counted() {
    let bench = TurnBench::new(|_| {}).await;
    bench
        .aws
        .fail("PutKeyPolicy", "", Fails::Refused("AccessDeniedException"));
    bench.event().await;
    let text = bench.ctx.telemetry.exposition().unwrap();
    for line in [
        "aws_calls_total{call=\"kms:PutKeyPolicy\",result=\"refused\"} 3",
        "aws_calls_total{call=\"kms:DescribeKey\",result=\"ok\"} 9",
        "aws_calls_total{call=\"sts:AssumeRole\",result=\"ok\"} 3",
        "kubernetes_calls_total{verb=\"get\",resource=\"chamberclusters\",code=\"200\"} 1",
        "kubernetes_calls_total{verb=\"get\",resource=\"namespaces\",code=\"200\"} 1",
    ] {
        let line = format!("chamber_operator_{line}\n");
        assert!(text.contains(&line), "{line}: {text}");
    }
}
