//! The signing client: a pod that signs through the chambers' Service all the time, and counts.

use std::time::Duration;

use anyhow::{Context, Result};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::json;

use crate::aws::Tenant;
use crate::kubernetes;
use crate::manifests;
use crate::releases::{Form, Release};
use crate::wait::{self, MINUTE, Seen};

/// Requests a second: an emulated machine takes milliseconds for what a process does in microseconds, and several of them
/// share the cores with the one that boots.
#[must_use]
pub const fn rate(form: Form) -> u32 {
    match form {
        Form::Process => 20,
        Form::Enclave => 4,
    }
}

/// Name of the pod.
const POD: &str = "client";
/// Port of its /stats.
const PORT: u16 = 8080;

/// What the client counted so far.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests without a good signature.
    pub failed: u64,
    /// Every public key that answered.
    pub public_keys: Vec<String>,
    /// The slowest answer, in milliseconds.
    pub slowest_millis: u64,
    /// What the last failed request failed of.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// Starts the client and waits until its first request was answered well.
pub async fn start(client: &Client, tenant: &Tenant, release: &Release) -> Result<()> {
    let arguments = [
        "client".to_owned(),
        "--url".to_owned(),
        format!("http://{}:9000", tenant.name),
        "--rate".to_owned(),
        rate(release.form).to_string(),
        "--listen".to_owned(),
        format!("0.0.0.0:{PORT}"),
    ];
    let extra = json!({"ports": [{"name": "stats", "containerPort": PORT}]});
    let pod = manifests::helper_pod(&tenant.namespace, POD, &release.image, &arguments, extra);
    kubernetes::apply(client, &pod).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &tenant.namespace);
    wait::until(
        &pods,
        POD,
        MINUTE,
        "the signing client to run",
        |pod| match pod.filter(|pod| kubernetes::is_ready(pod)) {
            Some(_) => Seen::Yes(()),
            None => Seen::NotYet(pod.and_then(kubernetes::trouble).unwrap_or_default()),
        },
    )
    .await?;
    signing(client, tenant).await
}

/// What it counted.
pub async fn stats(client: &Client, tenant: &Tenant) -> Result<Stats> {
    let uri = format!(
        "/api/v1/namespaces/{}/pods/{POD}:{PORT}/proxy/stats",
        tenant.namespace
    );
    let request = Request::get(uri).body(Vec::new())?;
    client
        .request(request)
        .await
        .context("totals of the signing client")
}

/// Until the client has a good signature: its counts are the only sign of that, so they are asked again and again.
async fn signing(client: &Client, tenant: &Tenant) -> Result<()> {
    let asked = async {
        loop {
            let stats = stats(client, tenant).await;
            if stats.is_ok_and(|stats| stats.sent > stats.failed && !stats.public_keys.is_empty()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(MINUTE, asked)
        .await
        .context("the signing client got no signature within a minute")
}
