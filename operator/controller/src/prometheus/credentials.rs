//! What the operator shows to a Prometheus server. Values are never printed: no Debug, and headers are sensitive.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::error::Error;
use super::servers::{base, text};

/// Type of a Secret whose maker wants it to be shown to the Prometheus server that it names. Any other Secret of the
/// namespace stays where it is, whoever may write a `ChamberCluster`.
pub const SECRET_TYPE: &str = "chamber.dev/prometheus";
/// Bytes of one file of credentials, at most.
const FILE: u64 = 1 << 20;

/// Headers, and the CA bundle that alone is trusted.
#[derive(Default)]
pub struct Credentials {
    /// Marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// PEM.
    pub ca: Option<Vec<u8>>,
}

impl Credentials {
    /// From a Secret of the namespace, if it is meant for this URL.
    pub fn of_secret(secret: &Secret, url: &Url) -> Result<Self, Error> {
        let name = secret.name_any();
        if secret.type_.as_deref() != Some(SECRET_TYPE) {
            return Err(Error::credentials(format!(
                "Secret {name} is not of type {SECRET_TYPE}: only such a Secret is sent to a Prometheus server"
            )));
        }
        let data = secret.data.iter().flatten();
        let mut fields: BTreeMap<String, Vec<u8>> = data
            .map(|(name, value)| (name.clone(), value.0.clone()))
            .collect();
        let meant = fields.remove("url").unwrap_or_default();
        let meant = std::str::from_utf8(&meant).ok().map(str::trim);
        let meant = meant.and_then(base);
        if meant.as_ref().map(text) != Some(text(url)) {
            return Err(Error::credentials(format!(
                "Secret {name} is not for this server: its `url` must be the same as spec.verification.prometheus.url"
            )));
        }
        Self::of_fields(fields, &format!("Secret {name}"))
    }

    /// From a folder of the operator's own, such as a mounted Secret.
    pub async fn of_folder(folder: &Path) -> Result<Self, Error> {
        let place = format!("folder {}", folder.display());
        let fault = |error: std::io::Error| Error::credentials(format!("{place}: {error}"));
        let mut fields = BTreeMap::new();
        let mut entries = tokio::fs::read_dir(folder).await.map_err(fault)?;
        while let Some(entry) = entries.next_entry().await.map_err(fault)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            // A mounted Secret has `..data` beside its files.
            if name.starts_with("..") {
                continue;
            }
            let size = tokio::fs::metadata(entry.path())
                .await
                .map_err(fault)?
                .len();
            if size > FILE {
                return Err(Error::credentials(format!("{place}: {name} is too large")));
            }
            let bytes = tokio::fs::read(entry.path()).await.map_err(fault)?;
            fields.insert(name, bytes);
        }
        Self::of_fields(fields, &place)
    }

    fn of_fields(mut fields: BTreeMap<String, Vec<u8>>, place: &str) -> Result<Self, Error> {
        let fault = |what: &str| Error::credentials(format!("{place}: {what}"));
        let token = fields.remove("token");
        let (username, password) = (fields.remove("username"), fields.remove("password"));
        let authorization = match (token, username, password) {
            (None, None, None) => None,
            (Some(token), None, None) => Some([b"Bearer ", line(&token)].concat()),
            (None, Some(username), Some(password)) => {
                let pair = [line(&username), b":", line(&password)].concat();
                Some(format!("Basic {}", STANDARD.encode(pair)).into_bytes())
            }
            _ => return Err(fault("expected `token`, or `username` and `password`")),
        };
        let ca = fields.remove("ca.crt");
        let mut headers = Vec::new();
        if let Some(value) = authorization {
            headers.push((
                AUTHORIZATION,
                sensitive(&value).ok_or_else(|| {
                    fault("`token`, `username` or `password` has a control character")
                })?,
            ));
        }
        for (field, value) in fields {
            let name = field
                .strip_prefix("header.")
                .and_then(|name| name.parse::<HeaderName>().ok());
            let Some(name) = name else {
                return Err(fault(&format!(
                    "{field:?} is none of url, token, username, password, ca.crt and header.<Name>"
                )));
            };
            let value = sensitive(line(&value))
                .ok_or_else(|| fault(&format!("{field:?} has a control character")))?;
            headers.push((name, value));
        }
        Ok(Self { headers, ca })
    }
}

/// Without the newline that files end with.
fn line(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}

fn sensitive(bytes: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}
