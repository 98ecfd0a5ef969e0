//! `signer`: the workload. It signs with an Ed25519 key made of the master key.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::{Workload, drain};

/// Longest message to sign.
const MAX_MESSAGE: usize = 64 * 1024;
const LABEL: &[u8] = b"chamber signer, Ed25519, version 1";
/// A predecessor may still be finishing its requests.
const BIND_TRIES: u32 = 100;
const BIND_PAUSE: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    workload: Workload,
    /// The descriptor that the master key comes on: standard input, or what the workload of an enclave gets.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(RawFd).range(0..))]
    key_descriptor: RawFd,
}

/// Empty while sealed.
type Key = Arc<OnceLock<Ed25519KeyPair>>;

/// Serves until the agent closes the pipe or a signal comes; requests in flight are finished.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let signalled = drain::signalled()?;
    let pipe = pipe::Receiver::from_owned_fd(inherited(options.key_descriptor)?)
        .context("the key's descriptor is no pipe: `agent` starts the signer")?;
    let key = Key::default();
    let (lost, agent_lost) = oneshot::channel();
    tokio::spawn(listen_to_agent(pipe, Arc::clone(&key), lost));
    let listener = bind(options.workload.workload).await?;
    axum::serve(listener, router(key))
        .with_graceful_shutdown(async {
            tokio::select! {
                () = signalled => {}
                _ = agent_lost => {}
            }
        })
        .await?;
    Ok(ExitCode::SUCCESS)
}

/// A descriptor that this process was started with, as one of its own.
#[expect(
    unsafe_code,
    reason = "the standard library has no safe way to an inherited descriptor"
)]
fn inherited(descriptor: RawFd) -> std::io::Result<OwnedFd> {
    // SAFETY: whether it is open is found out by duplicating it; nobody else closes it while this runs.
    unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let mut tries = 1;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if tries == BIND_TRIES => {
                return Err(error).with_context(|| format!("listening on {address}"));
            }
            Err(_) => tokio::time::sleep(BIND_PAUSE).await,
        }
        tries += 1;
    }
}

/// Takes the master key, then waits for the pipe's end.
async fn listen_to_agent(mut pipe: pipe::Receiver, key: Key, lost: oneshot::Sender<()>) {
    let mut master = Zeroizing::new([0; sealed_blob::KEY_BYTES]);
    if pipe.read_exact(&mut *master).await.is_ok() {
        match derive(&master) {
            Ok(pair) => drop(key.set(pair)),
            Err(error) => tracing::error!("{error:#}"),
        }
        drop(master);
        // Nothing more is ever written; whatever comes, it is the end.
        let _ = pipe.read_u8().await;
    }
    let _ = lost.send(());
}

fn derive(master: &[u8; sealed_blob::KEY_BYTES]) -> anyhow::Result<Ed25519KeyPair> {
    let mut seed = Zeroizing::new([0; 32]);
    Salt::none(HKDF_SHA256)
        .extract(master)
        .expand(&[LABEL], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *seed))
        .map_err(|_| anyhow!("deriving the signing key"))?;
    Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| anyhow!("making the signing key"))
}

fn router(key: Key) -> Router {
    Router::new()
        .route("/public-key", get(public_key))
        .route("/sign", post(sign))
        .route("/crash", post(crash))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .with_state(key)
}

async fn public_key(State(key): State<Key>) -> Response {
    match key.get() {
        Some(key) => Json(json!({"publicKey": hex::encode(key.public_key())})).into_response(),
        None => sealed(),
    }
}

async fn sign(State(key): State<Key>, message: Bytes) -> Response {
    match key.get() {
        Some(key) => Json(json!({
            "signature": hex::encode(key.sign(&message)),
            "publicKey": hex::encode(key.public_key()),
        }))
        .into_response(),
        None => sealed(),
    }
}

/// Ends at once, and wipes nothing: what is left is the system's to clear.
async fn crash() -> Response {
    std::process::abort()
}

fn sealed() -> Response {
    let body = Json(json!({"error": "sealed: the chamber waits for its master key"}));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_key_is_fixed_by_the_master_key() {
        let one = derive(&[7; 32]).unwrap();
        let again = derive(&[7; 32]).unwrap();
        let other = derive(&[8; 32]).unwrap();
        assert_eq!(one.public_key().as_ref(), again.public_key().as_ref());
        assert_ne!(one.public_key().as_ref(), other.public_key().as_ref());
    }
}
