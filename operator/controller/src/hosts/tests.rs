//! Hosts that answer well, badly, too much and never.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// A server of this machine that plays a pod's host.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A running pod whose host is there.
pub(crate) fn pod(address: SocketAddr) -> Value {
    json!({
        "metadata": {"name": "signer-0123456789-abcde", "namespace": "n", "uid": "pod-uid"},
        "spec": {"nodeName": "node-1", "containers": [
            {"name": "sidecar", "ports": [{"name": "metrics", "containerPort": 1}]},
            {"name": "enclave", "ports": [
                {"name": "http", "containerPort": 9000},
                {"name": "metrics", "containerPort": address.port()}
            ]}
        ]},
        "status": {"phase": "Running", "podIP": address.ip().to_string()}
    })
}

fn read(pod: Value) -> Pod {
    serde_json::from_value(pod).unwrap()
}

/// What a host that answers so is taken for.
async fn answered(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> Error {
    let answer = move || {
        let answer = answer.clone();
        async move { answer }
    };
    let address = serve(Router::new().route("/attestation", post(answer))).await;
    let hosts = Hosts::new().unwrap();
    let asked = hosts.attestation(&read(pod(address)), b"nonce").await;
    asked.unwrap_err()
}

#[tokio::test]
async fn a_chamber_is_asked_with_its_nonce_and_a_seal_pod_for_its_offer() {
    let attest = async |asked: String| {
        let asked: Value = serde_json::from_str(&asked).unwrap();
        let nonce = hex::decode(asked["nonce"].as_str().unwrap()).unwrap();
        axum::Json(json!({"document": STANDARD.encode(nonce)}))
    };
    let offer = async || axum::Json(json!({"sealedBlob": "YQ==", "commitment": "c0ffee"}));
    let app = Router::new()
        .route("/attestation", post(attest))
        .route("/sealed-blob", get(offer));
    let pod = read(pod(serve(app).await));
    let hosts = Hosts::new().unwrap();
    assert_eq!(hosts.attestation(&pod, b"nonce").await.unwrap(), b"nonce");
    let offer = hosts.offer(&pod).await.unwrap();
    assert_eq!(
        (&*offer.sealed_blob, &*offer.commitment),
        ("YQ==", "c0ffee")
    );
}

#[tokio::test]
async fn why_a_chamber_is_sealed_is_one_line_or_nothing() {
    let told = async |answer: Value| {
        let app = Router::new().route("/progress", get(async move || axum::Json(answer)));
        let pod = read(pod(serve(app).await));
        Hosts::new().unwrap().failure(&pod).await
    };
    assert_eq!(
        told(json!({"unsealed": false, "failure": "no\nmanifest"})).await,
        Some("no manifest".to_owned())
    );
    let long = told(json!({"failure": "x".repeat(5000)})).await;
    assert_eq!(long.unwrap().len(), SAID);
    assert_eq!(told(json!({"unsealed": true})).await, None);
    assert_eq!(told(json!("y".repeat(FAILURE))).await, None);
    // A host of an older image has no such page.
    let pod = read(pod(serve(Router::new()).await));
    assert_eq!(Hosts::new().unwrap().failure(&pod).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_say_why_holds_nothing_up() {
    let never = async || std::future::pending::<()>().await;
    let address = serve(Router::new().route("/progress", get(never))).await;
    let began = tokio::time::Instant::now();
    assert_eq!(
        Hosts::new().unwrap().failure(&read(pod(address))).await,
        None
    );
    assert!(began.elapsed() <= AT_ONCE + Duration::from_millis(10));
}

#[tokio::test]
async fn whatever_is_no_answer_is_told_in_a_line_that_stays_the_same() {
    for code in [400, 404, 409, 500, 503, 204] {
        let found = answered(StatusCode::from_u16(code).unwrap()).await;
        assert_eq!(found, Error::Status { code });
    }
    // It would take the question to a server of the host's choice.
    let elsewhere = Redirect::temporary("http://169.254.169.254/");
    assert_eq!(answered(elsewhere).await, Error::Status { code: 307 });
    assert_eq!(answered("<html>").await, Error::Foreign);
    assert_eq!(answered(r#"{"document": "!"}"#).await, Error::Foreign);
    let large = " ".repeat(DOCUMENT + 1);
    assert_eq!(answered(large).await, Error::Size(DOCUMENT));
    let old = Error::Status { code: 404 }.to_string();
    assert_eq!(
        old,
        "its host answers HTTP 404: its image is too old to attest"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_answers_is_waited_for_six_seconds() {
    let never = async || std::future::pending::<()>().await;
    let address = serve(Router::new().route("/attestation", post(never))).await;
    let hosts = Hosts::new().unwrap();
    let began = tokio::time::Instant::now();
    let found = hosts.attestation(&read(pod(address)), b"n").await;
    assert_eq!(found, Err(Error::Connection("the time is over".to_owned())));
    assert!(began.elapsed() <= TOTAL + Duration::from_millis(10));
}

#[test]
fn the_address_is_the_pods_and_the_port_the_enclaves() {
    let address: SocketAddr = "10.0.0.7:3000".parse().unwrap();
    let of = |pod: Value| url(&read(pod), "attestation");
    let found = of(pod(address));
    assert_eq!(found, Ok("http://10.0.0.7:3000/attestation".to_owned()));
    let six = "[fd00::7]:3000".parse().unwrap();
    let found = of(pod(six));
    assert_eq!(found, Ok("http://[fd00::7]:3000/attestation".to_owned()));
    for no_address in [json!(null), json!(""), json!("host.example/a")] {
        let mut pod = pod(address);
        pod["status"]["podIP"] = no_address;
        assert_eq!(of(pod), Err(Error::Address));
    }
    let mut unnamed = pod(address);
    unnamed["spec"]["containers"][1]["ports"][1]["name"] = json!("m");
    assert_eq!(of(unnamed), Err(Error::Port));
}

#[test]
fn a_clusters_chambers_are_asked_once_a_second_and_others_do_not_wait() {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let hosts = Hosts::new().unwrap();
    while hosts.turn("a").is_zero() {}
    assert!(hosts.turn("a") <= Duration::from_secs(1));
    assert_eq!(hosts.turn("b"), Duration::ZERO);
}
