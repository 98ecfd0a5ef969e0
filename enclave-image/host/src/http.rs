//! The pages for Prometheus and the kubelet.

use std::sync::Arc;

use axum::Router;
use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::state::State;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/metrics`, `/healthz` (lives, sealed or not) and `/readyz` (unsealed).
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
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
