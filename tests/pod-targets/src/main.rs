//! `pod-targets`: tells a Prometheus without Kubernetes discovery, such as Debian's, which pods to scrape.
//!
//! Serves `GET /targets` in the form of Prometheus' HTTP discovery; needs get, list and watch of pods.

mod targets;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use clap::Parser;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::targets::Target;

/// Which pods have a port of this name, for Prometheus' `http_sd_configs`.
#[derive(Parser)]
struct Arguments {
    /// Where the list is served.
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
    /// Name of the container port.
    #[arg(long, default_value = "metrics")]
    port: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // One provider for the whole process, before the first client.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut terminate = signal(SignalKind::terminate())?;
    let pods = Api::<Pod>::all(Client::try_default().await?);
    let (store, writer) = reflector::store();
    let watched = watcher(pods, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .for_each(async |event| {
            if let Err(error) = event {
                eprintln!("pod-targets: {error}");
            }
        });
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("listening on {}", arguments.listen))?;
    let served = axum::serve(listener, router(store, arguments.port));
    tokio::select! {
        () = watched => Ok(()),
        ended = served => ended.context("serving"),
        _ = terminate.recv() => Ok(()),
    }
}

fn router(store: Store<Pod>, port: String) -> Router {
    let targets = async move || list(&store, &port).await;
    Router::new().route("/targets", get(targets))
}

/// Until all pods were listed once there is no answer: Prometheus then keeps what it has.
async fn list(store: &Store<Pod>, port: &str) -> Result<Json<Vec<Target>>, StatusCode> {
    let listed = tokio::time::timeout(std::time::Duration::from_secs(1), store.wait_until_ready());
    if !matches!(listed.await, Ok(Ok(()))) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let pods = store.state();
    let targets = pods.iter().flat_map(|pod| targets::of_pod(pod, port));
    Ok(Json(targets.collect()))
}
