//! Questions to Prometheus servers: bounded in time, size and number; no redirect, no proxy of the environment.

mod credentials;
mod error;
mod pace;
mod servers;
mod session;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use reqwest::{Certificate, ClientBuilder, redirect};

use credentials::Credentials;
pub use error::{Error, innermost};
pub use pace::Pace;
pub use servers::{Proxy, Servers, parse};
pub use session::{Series, Session};

/// What connecting may take.
const CONNECT: Duration = Duration::from_secs(2);
/// What a question may take, from connecting to the last byte of the answer.
const TOTAL: Duration = Duration::from_secs(6);

/// All Prometheus servers that namespaces may name.
pub struct Prometheus {
    servers: Servers,
    proxy: Option<Proxy>,
    /// For servers that need no CA of their own: its connections are kept.
    client: reqwest::Client,
    pace: Pace,
}

impl Prometheus {
    /// With the operator's configuration. Fails where the proxy is no URL.
    pub fn new(servers: Servers, proxy: Option<Proxy>) -> Result<Self, reqwest::Error> {
        let client = builder(proxy.as_ref())?.build()?;
        Ok(Self {
            servers,
            proxy,
            client,
            pace: Pace::default(),
        })
    }

    /// How long the cluster with this uid has to wait for its turn with that server; zero: its turn is now.
    pub fn turn(&self, url: &str, uid: &str) -> Duration {
        // By scheme, host and port: another path is the same server.
        let origin = servers::base(url).map(|url| url.origin().ascii_serialization());
        self.pace
            .turn(&origin.unwrap_or_default(), uid, Instant::now())
    }

    /// Whether the namespace may ask this URL; before anything is read or sent for it.
    pub fn check(&self, namespace: &str, url: &str) -> Result<(), Error> {
        let parsed = servers::base(url).ok_or(Error::Url)?;
        self.servers.find(namespace, &parsed).map(drop)
    }

    /// A session with the server, with the namespace's credentials or those of the operator's configuration.
    pub async fn session(
        &self,
        namespace: &str,
        url: &str,
        secret: Option<&Secret>,
    ) -> Result<Session, Error> {
        let parsed = servers::base(url).ok_or(Error::Url)?;
        let server = self.servers.find(namespace, &parsed)?;
        let configured = server.and_then(|server| server.credentials.as_deref());
        let credentials = match (secret, configured) {
            (Some(secret), _) => Credentials::of_secret(secret, &parsed)?,
            (None, Some(folder)) => Credentials::of_folder(folder).await?,
            (None, None) => Credentials::default(),
        };
        let client = match &credentials.ca {
            None => self.client.clone(),
            Some(bundle) => self.trusting(bundle)?,
        };
        Session::new(client, &parsed, credentials.headers)
    }

    /// A client that trusts this bundle (PEM) and nothing else.
    fn trusting(&self, bundle: &[u8]) -> Result<reqwest::Client, Error> {
        let fault = |_| Error::credentials("`ca.crt` is no bundle of certificates in PEM");
        let certificates = Certificate::from_pem_bundle(bundle).map_err(fault)?;
        if certificates.is_empty() {
            return Err(Error::credentials("`ca.crt` has no certificate in PEM"));
        }
        let builder = builder(self.proxy.as_ref()).map_err(fault)?;
        builder.tls_certs_only(certificates).build().map_err(fault)
    }
}

fn builder(proxy: Option<&Proxy>) -> Result<ClientBuilder, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(TOTAL);
    Ok(match proxy {
        Some(proxy) => builder.proxy(proxy.build()?),
        None => builder,
    })
}
