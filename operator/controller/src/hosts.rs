//! Questions to the host process of a pod: bounded in time, size and number; no redirect, no proxy of the environment.

mod error;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chamber_resource::pod::host_port;
use k8s_openapi::api::core::v1::Pod;
use reqwest::{RequestBuilder, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use error::Error;

use crate::prometheus::Pace;

/// What connecting may take.
const CONNECT: Duration = Duration::from_secs(2);
/// What a question may take, from connecting to the last byte of the answer.
const TOTAL: Duration = Duration::from_secs(6);
/// What a question may take whose answer nothing waits for.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Bytes of an answer that says why a chamber is sealed, at most.
const FAILURE: usize = 16 << 10;
/// Characters of it that are told.
const SAID: usize = 400;
/// Bytes of an answer with a document, at most: one has some 5,000.
const DOCUMENT: usize = 32 << 10;
/// Bytes of an offer, at most: ten shares of the largest size, and a document.
const OFFER: usize = 128 << 10;

/// The hosts of all pods.
pub struct Hosts {
    client: reqwest::Client,
    pace: Pace,
}

/// What a seal pod's host offers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Base64, as it is to be stored.
    pub sealed_blob: String,
    /// Commitment to the master key, hex.
    pub commitment: String,
}

#[derive(Deserialize)]
struct Progress {
    failure: Option<String>,
}

#[derive(Deserialize)]
struct Attested {
    document: String,
}

impl Hosts {
    /// With a client of its own: no connection of Prometheus' is used for a pod.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            // A pod's address may be another pod's the next time.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            client,
            pace: Pace::default(),
        })
    }

    /// How long the cluster with this uid has to wait until its chambers may be asked; zero: now.
    pub fn turn(&self, uid: &str) -> Duration {
        self.pace.turn(uid, uid, Instant::now())
    }

    /// The attestation document that a chamber makes for this nonce.
    pub async fn attestation(&self, pod: &Pod, nonce: &[u8]) -> Result<Vec<u8>, Error> {
        let url = url(pod, "attestation")?;
        let question = json!({"nonce": hex::encode(nonce)}).to_string();
        let request = self.client.post(url);
        let request = request.header("content-type", "application/json");
        let answer: Attested = ask(request.body(question), DOCUMENT).await?;
        STANDARD.decode(answer.document).map_err(|_| Error::Foreign)
    }

    /// Why a chamber is sealed, in its own words and one line; none where its host does not say it at once.
    pub async fn failure(&self, pod: &Pod) -> Option<String> {
        let request = self.client.get(url(pod, "progress").ok()?).timeout(AT_ONCE);
        let told: Progress = ask(request, FAILURE).await.ok()?;
        let one_line = |found: char| if found.is_control() { ' ' } else { found };
        Some(told.failure?.chars().map(one_line).take(SAID).collect())
    }

    /// What a seal pod offers.
    pub async fn offer(&self, pod: &Pod) -> Result<Offer, Error> {
        ask(self.client.get(url(pod, "sealed-blob")?), OFFER).await
    }
}

/// Where a path of the pod's host is.
fn url(pod: &Pod, path: &str) -> Result<String, Error> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    let ip: IpAddr = ip.and_then(|ip| ip.parse().ok()).ok_or(Error::Address)?;
    let port = host_port(pod).ok_or(Error::Port)?;
    Ok(match ip {
        IpAddr::V4(ip) => format!("http://{ip}:{port}/{path}"),
        IpAddr::V6(ip) => format!("http://[{ip}]:{port}/{path}"),
    })
}

/// Sends it, and reads the answer while it is not too large: a length that is announced is not trusted.
async fn ask<T: DeserializeOwned>(request: RequestBuilder, limit: usize) -> Result<T, Error> {
    let mut response = request.send().await.map_err(|error| Error::lost(&error))?;
    if response.status() != StatusCode::OK {
        let code = response.status().as_u16();
        return Err(Error::Status { code });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Error::lost(&error))?
    {
        if body.len() + chunk.len() > limit {
            return Err(Error::Size(limit));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| Error::Foreign)
}

#[cfg(test)]
pub(crate) mod tests;
