//! One try for the lease, against an API server that answers what the test says.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::Handle;

use super::Candidate;

type Server = Handle<Request<Body>, Response<Body>>;

fn candidate() -> (Candidate, Server) {
    let (service, server) = tower_test::mock::pair();
    let client = Client::new(service, "n");
    let health = Arc::default();
    (Candidate::new(client, "n", "lease", "me", health), server)
}

fn lease(holder: Option<&str>, version: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "lease", "namespace": "n", "resourceVersion": version},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}
    })
}

fn refusal(code: u16, reason: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

/// Answers one request and returns its method and body.
async fn answer(server: &mut Server, code: u16, body: &Value) -> (Method, Value) {
    let next = tokio::time::timeout(Duration::from_secs(2), server.next_request());
    let (request, reply) = next.await.unwrap().unwrap();
    let method = request.method().clone();
    let sent = request.into_body().collect_bytes().await.unwrap();
    let body = Body::from(serde_json::to_vec(body).unwrap());
    reply.send_response(Response::builder().status(code).body(body).unwrap());
    (method, serde_json::from_slice(&sent).unwrap_or_default())
}

#[tokio::test]
async fn a_lease_that_is_not_there_is_made_and_held() {
    let (mut candidate, mut server) = candidate();
    let handle = candidate.lease();
    assert!(!handle.is_held());
    let answers = async {
        answer(&mut server, 404, &refusal(404, "NotFound")).await;
        answer(&mut server, 201, &lease(Some("me"), "1")).await
    };
    let (held, (method, sent)) = tokio::join!(candidate.attempt(), answers);
    assert!(held && handle.is_held());
    assert_eq!(method, Method::POST);
    assert_eq!(sent["spec"]["holderIdentity"], "me");
}

#[tokio::test]
async fn a_lease_of_another_is_left_alone_while_it_may_be_renewed() {
    let (mut candidate, mut server) = candidate();
    let found = lease(Some("other"), "1");
    let (held, _) = tokio::join!(candidate.attempt(), answer(&mut server, 200, &found));
    assert!(!held && !candidate.lease().is_held());
}

#[tokio::test]
async fn a_lease_of_another_that_did_not_change_for_its_duration_is_taken_over() {
    let (mut candidate, mut server) = candidate();
    let mut found = lease(Some("other"), "1");
    found["spec"]["leaseDurationSeconds"] = json!(0);
    let (first, _) = tokio::join!(candidate.attempt(), answer(&mut server, 200, &found));
    assert!(
        !first,
        "what is seen for the first time may have been renewed just now"
    );
    let answers = async {
        answer(&mut server, 200, &found).await;
        answer(&mut server, 200, &lease(Some("me"), "2")).await
    };
    let (second, (method, sent)) = tokio::join!(candidate.attempt(), answers);
    assert!(second);
    assert_eq!(method, Method::PUT);
    assert_eq!(
        sent["metadata"]["resourceVersion"], "1",
        "a raced write must be a conflict"
    );
    assert_eq!(sent["spec"]["leaseTransitions"], 1);
}

#[tokio::test]
async fn of_two_that_write_at_once_the_one_with_the_conflict_does_not_lead() {
    let (mut candidate, mut server) = candidate();
    let answers = async {
        answer(&mut server, 200, &lease(None, "1")).await;
        answer(&mut server, 409, &refusal(409, "Conflict")).await
    };
    let (held, _) = tokio::join!(candidate.attempt(), answers);
    assert!(!held && !candidate.lease().is_held());
}

#[tokio::test]
async fn a_holder_that_loses_the_lease_stops_acting_at_once() {
    let (mut candidate, mut server) = candidate();
    let handle = candidate.lease();
    let answers = async {
        answer(&mut server, 200, &lease(None, "1")).await;
        answer(&mut server, 200, &lease(Some("me"), "2")).await;
    };
    tokio::join!(candidate.attempt(), answers);
    assert!(handle.is_held());
    let taken = lease(Some("other"), "3");
    tokio::join!(candidate.attempt(), answer(&mut server, 200, &taken));
    assert!(!handle.is_held());
}

#[tokio::test]
async fn a_standby_is_ready_while_the_api_server_answers() {
    let (mut candidate, mut server) = candidate();
    let health = candidate.health.clone();
    let refused = refusal(403, "Forbidden");
    tokio::join!(candidate.attempt(), answer(&mut server, 403, &refused));
    assert!(health.ready().is_err());
    let held = lease(Some("other"), "1");
    tokio::join!(candidate.attempt(), answer(&mut server, 200, &held));
    assert_eq!(health.ready(), Ok(()));
}
