//! `/metrics`, `/healthz` (the process goes round) and `/readyz` (it knows what it acts on).

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use tokio::net::TcpListener;

use crate::health::Health;
use crate::telemetry::Telemetry;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until `stop` resolves.
pub async fn serve(
    listen: SocketAddr,
    telemetry: Arc<Telemetry>,
    health: Arc<Health>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let metrics = move || {
        let telemetry = telemetry.clone();
        async move {
            match telemetry.exposition() {
                Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", probe(&health, Health::live))
        .route("/readyz", probe(&health, Health::ready));
    tokio::select! {
        () = page_server::serve(listener, router) => {}
        () = stop => {}
    }
    Ok(())
}

/// `ok`, or 503 with what is wrong.
fn probe(health: &Arc<Health>, ask: fn(&Health) -> Result<(), &'static str>) -> MethodRouter {
    let health = health.clone();
    get(async move || match ask(&health) {
        Ok(()) => "ok".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    })
}
