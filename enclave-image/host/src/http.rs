//! The pages for Prometheus, the kubelet and the operator.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::proof::NoProof;
use crate::state::State;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A question is a nonce of at most 128 hex characters.
const MAX_QUESTION: usize = 1024;
/// Hex characters of a nonce: 16 to 64 bytes.
const NONCE: std::ops::RangeInclusive<usize> = 32..=128;

/// `/metrics`, `/healthz` (lives, sealed or not), `/readyz` (unsealed), `/sealed-blob` and `/attestation`.
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/progress", get(progress))
        .route("/sealed-blob", get(sealed_blob))
        .route("/attestation", post(attestation))
        .layer(DefaultBodyLimit::max(MAX_QUESTION))
        .with_state(state)
}

async fn metrics(Extract(state): Extract<Arc<State>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT)], state.render())
}

async fn ready(Extract(state): Extract<Arc<State>>) -> impl IntoResponse {
    if state.ready() {
        (StatusCode::OK, "unsealed\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "sealed or stopping\n")
    }
}

/// Why it is sealed, for whoever waits for it: the operator tells it in its status.
async fn progress(Extract(state): Extract<Arc<State>>) -> impl IntoResponse {
    Json(state.progress())
}

/// What a seal made; it is ciphertext, and public.
async fn sealed_blob(Extract(state): Extract<Arc<State>>) -> Response {
    match state.sealed() {
        Some(sealed) => Json(sealed).into_response(),
        None => (StatusCode::NOT_FOUND, "nothing was sealed here\n").into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    nonce: String,
}

/// A document of the enclave's state that carries the asker's nonce.
async fn attestation(
    Extract(state): Extract<Arc<State>>,
    Json(question): Json<Question>,
) -> Response {
    let nonce = question.nonce;
    let is_hex = nonce
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex || nonce.len() % 2 == 1 || !NONCE.contains(&nonce.len()) {
        let why = "nonce: expected 16 to 64 bytes as lower-case hex\n";
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    match state.questions.ask(nonce).await {
        Ok(document) => Json(json!({ "document": document })).into_response(),
        Err(NoProof::Busy) => {
            let why = "another question is open, ask again\n";
            (StatusCode::CONFLICT, why).into_response()
        }
        Err(NoProof::Silent(why)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
        }
    }
}
