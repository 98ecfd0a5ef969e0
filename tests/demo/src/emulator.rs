//! The KMS emulator's admin port, reached through the API server: audit log, knobs, keys.

use anyhow::{Context, Result};
use http::{Method, Request};
use kube::Client;
use serde::Deserialize;
use serde_json::Value;

use crate::manifests;

/// The admin client.
#[derive(Clone)]
pub struct Emulator {
    client: Client,
}

/// One call that the emulator answered, in order.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Place in the order.
    pub seq: u64,
    /// RFC 3339.
    pub time: jiff::Timestamp,
    /// ARN of the caller; absent where the signature named nobody.
    #[serde(default)]
    pub principal: Option<String>,
    /// Such as `Decrypt`.
    pub operation: String,
    /// ARN or id of the key, where the operation has one.
    #[serde(default)]
    pub key: Option<String>,
    /// ImageSha384 of the attestation document, where there was a good one.
    #[serde(default)]
    pub measurement: Option<String>,
    /// `ok` or the error code.
    pub outcome: String,
    /// `PutKeyPolicy`: the ImageSha384 values of statement 3.
    #[serde(default)]
    pub admitted: Option<Vec<String>>,
}

impl Emulator {
    /// Through this client's API server.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Calls after `since` (0: all).
    pub async fn audit(&self, since: u64) -> Result<Vec<AuditEntry>> {
        let path = format!("audit?since={since}");
        let text = self.call(Method::GET, &path, None).await?;
        serde_json::from_str(&text).context("audit log of the KMS emulator")
    }

    /// Sets all knobs; those that are left out go back to their rest.
    pub async fn set_knobs(&self, knobs: &Value) -> Result<()> {
        self.call(Method::PUT, "knobs", Some(knobs.to_string()))
            .await
            .map(drop)
    }

    /// A key's policy text as it is stored.
    pub async fn policy(&self, key_id: &str) -> Result<String> {
        self.call(Method::GET, &format!("keys/{key_id}/policy"), None)
            .await
    }

    /// Replaces a key's policy text without any check: a foreign hand.
    pub async fn set_policy(&self, key_id: &str, text: &str) -> Result<()> {
        let path = format!("keys/{key_id}/policy");
        self.call(Method::PUT, &path, Some(text.to_owned()))
            .await
            .map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<String> {
        let uri = format!(
            "/api/v1/namespaces/{}/services/kms-emulator:admin/proxy/{path}",
            manifests::AWS_NAMESPACE
        );
        let request = Request::builder()
            .method(method.clone())
            .uri(&uri)
            .header("content-type", "application/json")
            .body(body.unwrap_or_default().into_bytes())?;
        self.client
            .request_text(request)
            .await
            .with_context(|| format!("KMS emulator, {method} {path}"))
    }
}
