//! `client`: signs all the time through a URL, checks every signature, and counts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::body::Bytes;
use axum::http::{Method, Uri};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{drain, request};

/// After this a request has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub struct Options {
    /// Base URL of the signing service.
    #[arg(long)]
    url: Uri,
    /// Requests per second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rate: u16,
    /// Where /stats is served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
}

/// Totals since the start. Each request counts once; nothing is tried again.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    sent: u64,
    failed: u64,
    public_keys: BTreeSet<String>,
    slowest_millis: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Default)]
struct Shared {
    stats: Mutex<Stats>,
    /// The public key seen first, hex: every signature has to fit it.
    first_key: Mutex<Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    public_key: String,
    signature: Option<String>,
}

pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut signalled = std::pin::pin!(drain::signalled()?);
    let shared = Arc::new(Shared::default());
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("listening on {}", options.listen))?;
    tokio::spawn(axum::serve(listener, pages(Arc::clone(&shared))).into_future());
    let mut ticks = interval(Duration::from_secs(1) / u32::from(options.rate));
    // After a pause of the whole machine, a burst would only measure itself.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seconds = interval(Duration::from_secs(1));
    let mut number = 0_u64;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                number += 1;
                let message = format!("message {number}");
                tokio::spawn(one_request(Arc::clone(&shared), options.url.clone(), message));
            }
            _ = seconds.tick() => println!("{}", shared.line()),
            () = &mut signalled => break,
        }
    }
    println!("{}", shared.line());
    Ok(ExitCode::SUCCESS)
}

fn pages(shared: Arc<Shared>) -> Router {
    let stats = move || async move { Json(shared.stats().clone()) };
    Router::new().route("/stats", get(stats))
}

async fn one_request(shared: Arc<Shared>, url: Uri, message: String) {
    let began = std::time::Instant::now();
    let done = timeout(TIMEOUT, exchange(&shared, &url, message)).await;
    let done = done.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {TIMEOUT:?}")));
    let mut stats = shared.stats();
    stats.sent += 1;
    stats.slowest_millis = stats.slowest_millis.max(began.elapsed().as_millis());
    match done {
        Ok(key) => drop(stats.public_keys.insert(key)),
        Err(error) => {
            stats.failed += 1;
            stats.last_error = Some(format!("{error:#}"));
        }
    }
}

/// Fetches the public key until one is known, then has messages signed. Gives the key that the answer names.
async fn exchange(shared: &Shared, url: &Uri, message: String) -> anyhow::Result<String> {
    let Some(first) = shared.first_key().clone() else {
        let answer = ask(Method::GET, url, "/public-key", Bytes::new()).await?;
        let mut first = shared.first_key();
        first.get_or_insert_with(|| answer.public_key.clone());
        return Ok(answer.public_key);
    };
    let body = Bytes::from(message.clone());
    let answer = ask(Method::POST, url, "/sign", body).await?;
    let signature = hex::decode(answer.signature.context("an answer without a signature")?)?;
    let verified = UnparsedPublicKey::new(&ED25519, hex::decode(first)?)
        .verify(message.as_bytes(), &signature);
    if verified.is_err() {
        // Still worth showing: the key has changed.
        shared.stats().public_keys.insert(answer.public_key);
        anyhow::bail!("a signature that does not fit the first public key");
    }
    Ok(answer.public_key)
}

async fn ask(method: Method, url: &Uri, path: &str, body: Bytes) -> anyhow::Result<Answer> {
    let (status, body) = request::send(method, url, path, body).await?;
    ensure!(status.is_success(), "{path}: {status}");
    serde_json::from_slice(&body).with_context(|| format!("{path}: the answer"))
}

impl Shared {
    fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first_key(&self) -> MutexGuard<'_, Option<String>> {
        self.first_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> String {
        serde_json::to_string(&*self.stats()).unwrap_or_default()
    }
}
