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
    tokio::select! {
        () = page_server::serve(listener, pages(telemetry, &health)) => {}
        () = stop => {}
    }
    Ok(())
}

fn pages(telemetry: Arc<Telemetry>, health: &Arc<Health>) -> Router {
    let metrics = move || {
        let telemetry = telemetry.clone();
        async move {
            match telemetry.exposition() {
                Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", probe(health, Health::live))
        .route("/readyz", probe(health, Health::ready))
}

/// `ok`, or 503 with what is wrong.
fn probe(health: &Arc<Health>, ask: fn(&Health) -> Result<(), String>) -> MethodRouter {
    let health = health.clone();
    get(async move || match ask(&health) {
        Ok(()) => "ok".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    /// The status of a page, and its text.
    async fn page(health: &Arc<Health>, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let pages = pages(Arc::default(), health);
        let answer = pages.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let text = axum::body::to_bytes(answer.into_body(), 65_536).await;
        (status, String::from_utf8(text.unwrap().into()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn each_probe_has_its_page() {
        let health = Arc::new(Health::default());
        assert_eq!(page(&health, "/healthz").await, (200, "ok".to_owned()));
        let (status, why) = page(&health, "/readyz").await;
        assert!(status == 503 && why.contains("Lease"), "{why}");
        health.turned(true);
        assert_eq!(page(&health, "/readyz").await, (200, "ok".to_owned()));
        tokio::time::advance(std::time::Duration::from_mins(2)).await;
        let (status, why) = page(&health, "/healthz").await;
        assert!(status == 503 && why.contains("gone round"), "{why}");
        let (_, metrics) = page(&health, "/metrics").await;
        assert!(metrics.contains("chamber_operator_leading 0"), "{metrics}");
    }
}
