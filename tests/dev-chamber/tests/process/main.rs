//! The binary as the container runs it: real processes, a KMS that enforces its policies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may.

mod chamber;
mod world;

use chamber::{Chamber, run, stdout};
use serde_json::{Value, json};
use world::World;

/// The number of one series, 0 where it is absent.
fn metric(page: &str, series: &str) -> u64 {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chamber_seals_unseals_signs_and_ends_gracefully() {
    let world = World::start("life").await;
    world.admit(&["v1"]).await;
    let blob = world.seal("v1");
    let mut chamber = Chamber::start(&world, "v1", &blob);
    chamber.wait_until_ready();
    let page = chamber.metrics();
    let success = "chamber_tee_unseal_total{status=\"success\"}";
    assert_eq!(metric(&page, success), 1);
    assert_eq!(metric(&page, "kms_attestation_rejected"), 0);
    assert!(page.contains(&format!("image_sha384=\"{}\"}} 1", world.image("v1"))));
    let key = chamber.public_key();
    let (status, answer) = chamber.workload("POST", "/sign", "hello");
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(world::verifies(
        &key,
        b"hello",
        answer["signature"].as_str().unwrap()
    ));
    chamber.terminate();
    assert!(chamber.exit().success());
    // The master key is what the blob holds, not what the process made up.
    let again = Chamber::start(&world, "v1", &blob);
    again.wait_until_ready();
    assert_eq!(again.public_key(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_release_counts_rejections_serves_503_and_goes_on_when_admitted() {
    let world = World::start("refused").await;
    world.admit(&["v1"]).await;
    let blob = world.rebind(&world.seal("v1"), "v1", "v2");
    let mut chamber = Chamber::start(&world, "v2", &blob);
    chamber.wait_for("two refused attempts", |chamber| {
        metric(&chamber.metrics(), "kms_attestation_rejected") >= 6
    });
    assert_eq!(chamber.host("/readyz").0, 503);
    assert_eq!(chamber.host("/healthz").0, 200);
    let failure = "chamber_tee_unseal_total{status=\"failure\"}";
    assert!(metric(&chamber.metrics(), failure) >= 1);
    assert_eq!(chamber.workload("GET", "/public-key", "").0, 503);
    assert_eq!(chamber.workload("POST", "/sign", "x").0, 503);
    world.admit(&["v1", "v2"]).await;
    chamber.wait_until_ready();
    chamber.terminate();
    assert!(
        chamber.exit().success(),
        "sealed or not, it ends gracefully"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_is_started_again_and_the_metrics_say_so() {
    let world = World::start("killed").await;
    world.admit(&["v1"]).await;
    let chamber = Chamber::start(&world, "v1", &world.seal("v1"));
    chamber.wait_until_ready();
    let key = chamber.public_key();
    chamber.kill_agent();
    chamber.wait_for("the restart", |chamber| {
        metric(&chamber.metrics(), "chamber_enclave_restarts_total") == 1
    });
    chamber.wait_until_ready();
    assert_eq!(chamber.public_key(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_after_sigterm() {
    let world = World::start("drain").await;
    world.admit(&["v1"]).await;
    let mut chamber = Chamber::start(&world, "v1", &world.seal("v1"));
    chamber.wait_until_ready();
    let slow = chamber.begin_request(5);
    chamber.terminate();
    chamber.wait_for("no new connections", Chamber::workload_is_closed);
    assert!(slow.finish("hello").starts_with("HTTP/1.1 200"));
    assert!(chamber.exit().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_fails_says_why_in_the_termination_log() {
    let world = World::start("noseal").await;
    world.admit(&[]).await;
    let log = world.path("termination-log");
    let mut request: Value = serde_json::from_str(&World::seal_request()).unwrap();
    request["threshold"] = json!(9);
    let status = world
        .command("v1", &["host"])
        .env("CHAMBER_SEAL_REQUEST", request.to_string())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    let said: Value = serde_json::from_str(&std::fs::read_to_string(&log).unwrap()).unwrap();
    let error = said["error"].as_str().unwrap();
    assert!(error.contains("threshold"), "{error}");
    let nothing = world.command("v1", &["host"]).status().unwrap();
    assert_eq!(nothing.code(), Some(1));
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("TEE_AUTO_UNSEAL_BLOB"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_tells_who_may_decrypt() {
    let world = World::start("probe").await;
    world.admit(&["v1"]).await;
    let blob = world.seal("v1");
    let shares = world.probe_shares(&blob, "v1");
    let results = |release: &str, arguments: &[&str]| {
        let mut command = world.command(release, arguments);
        let output = run(command.env("CHAMBER_PROBE_SHARES", &shares));
        let lines = stdout(&output);
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| line["result"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(results("v1", &["probe"]), ["allowed"; 3]);
    assert_eq!(results("v2", &["probe"]), ["AccessDeniedException"; 3]);
    let without = ["probe", "--without-attestation"];
    assert_eq!(results("v1", &without), ["AccessDeniedException"; 3]);
    let own_blob = run(world
        .command("v1", &["probe"])
        .env("TEE_AUTO_UNSEAL_BLOB", &blob));
    assert_eq!(stdout(&own_blob).matches("allowed").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_counts_and_notices_an_outage() {
    let world = World::start("client").await;
    world.admit(&["v1"]).await;
    let mut chamber = Chamber::start(&world, "v1", &world.seal("v1"));
    chamber.wait_until_ready();
    let client = chamber.client(&world);
    let stats = || serde_json::from_str::<Value>(&client.get("/stats").1).unwrap_or_default();
    client.wait_for("twenty requests", |_| stats()["sent"].as_u64() >= Some(20));
    assert_eq!(stats()["failed"], 0, "{}", stats());
    assert_eq!(stats()["publicKeys"], json!([chamber.public_key()]));
    chamber.terminate();
    assert!(chamber.exit().success());
    client.wait_for("failures", |_| stats()["failed"].as_u64() > Some(0));
}
