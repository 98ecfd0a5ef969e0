//! The proxy before a server that counts what reaches it.

#![allow(clippy::unwrap_used, reason = "a helper of a test may end the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::any;
use fault_proxy::{FaultProxy, Intercept, Moment, Then};
use tokio::net::TcpListener;

const SECRETS: &str = "/api/v1/namespaces/n/secrets";

/// A proxy before one server for both ports, and the number of requests that the server saw.
async fn before_a_server() -> (FaultProxy, Arc<AtomicUsize>) {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let answer = move || {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { number.to_string() }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(answer));
    tokio::spawn(axum::serve(listener, router).into_future());
    let url = url.parse().unwrap();
    (FaultProxy::start(&url, b"", &url).await.unwrap(), reached)
}

async fn post(proxy: &FaultProxy) -> reqwest::Result<String> {
    let url = format!("{}{SECRETS}", proxy.kubernetes_url());
    let answer = reqwest::Client::new().post(url).body("{}").send().await?;
    answer.text().await
}

fn intercept(skip: usize, moment: Moment, then: Then) -> Intercept {
    Intercept {
        call: "POST secrets".into(),
        skip,
        times: 1,
        moment,
        then,
    }
}

#[tokio::test]
async fn calls_pass_and_are_counted_since_the_mark() {
    let (proxy, _) = before_a_server().await;
    assert_eq!(post(&proxy).await.unwrap(), "1");
    proxy.mark();
    assert_eq!(post(&proxy).await.unwrap(), "2");
    assert_eq!(post(&proxy).await.unwrap(), "3");
    let seen = proxy.seen();
    let names: Vec<_> = seen.iter().map(|call| (&*call.name, call.nth)).collect();
    assert_eq!(names, [("POST secrets", 1), ("POST secrets", 2)]);
    assert!(seen.iter().all(fault_proxy::Seen::is_point));
    assert_eq!(proxy.count("POST secrets"), 2);
}

#[tokio::test]
async fn a_call_that_is_caught_before_never_reaches_the_server() {
    let (proxy, reached) = before_a_server().await;
    let mut sprung = proxy.set(intercept(1, Moment::Before, Then::Hold));
    post(&proxy).await.unwrap();
    let proxy = Arc::new(proxy);
    let held = tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { post(&proxy).await }
    });
    sprung.caught(1).await;
    assert!(!held.is_finished());
    proxy.release();
    assert!(held.await.unwrap().is_err());
    assert_eq!(reached.load(Ordering::SeqCst), 1);
    assert_eq!(post(&proxy).await.unwrap(), "2", "the intercept is gone");
}

#[tokio::test]
async fn a_call_that_is_caught_after_was_done_and_nobody_knows() {
    let (proxy, reached) = before_a_server().await;
    let mut sprung = proxy.set(intercept(0, Moment::After, Then::Hold));
    let proxy = Arc::new(proxy);
    let held = tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { post(&proxy).await }
    });
    sprung.caught(1).await;
    assert_eq!(reached.load(Ordering::SeqCst), 1);
    assert!(!held.is_finished());
    proxy.release();
    assert!(held.await.unwrap().is_err());
}

#[tokio::test]
async fn answers_are_lost_as_often_as_asked_for() {
    let (proxy, reached) = before_a_server().await;
    let mut two = intercept(0, Moment::After, Then::Drop);
    two.call = "POST".into();
    two.times = 2;
    let sprung = proxy.set(two);
    assert!(post(&proxy).await.is_err());
    assert!(post(&proxy).await.is_err());
    assert_eq!(post(&proxy).await.unwrap(), "3");
    assert_eq!(sprung.count(), 2);
    assert_eq!(reached.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_trap_means_whole_words() {
    let (proxy, _) = before_a_server().await;
    let mut other = intercept(0, Moment::Before, Then::Drop);
    other.call = "POST secret".into();
    proxy.set(other);
    assert_eq!(post(&proxy).await.unwrap(), "1");
}

#[tokio::test]
async fn an_answer_that_is_delayed_comes_whole_when_it_is_let_go() {
    let (proxy, _) = before_a_server().await;
    let mut sprung = proxy.set(intercept(0, Moment::After, Then::Delay));
    let proxy = Arc::new(proxy);
    let delayed = tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { post(&proxy).await }
    });
    sprung.caught(1).await;
    assert!(!delayed.is_finished());
    assert!(proxy.seen()[0].was_done());
    proxy.release();
    assert_eq!(delayed.await.unwrap().unwrap(), "1");
}

#[tokio::test]
async fn a_trap_that_lets_pass_only_counts() {
    let (proxy, _) = before_a_server().await;
    let mut sprung = proxy.set(intercept(0, Moment::Before, Then::Pass));
    assert_eq!(post(&proxy).await.unwrap(), "1");
    sprung.caught(1).await;
}
