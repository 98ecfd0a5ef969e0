//! The way to KMS: the host's relay carries TLS that ends in here.
//!
//! The host sees which endpoint is asked, when, and how long the messages are. It can keep them, and that is all: the
//! certificate is judged by the roots that the image measures, at the security module's time.

mod client;
mod connector;
mod relay;
mod stream;

use std::sync::Arc;

use aws_sdk_kms::config::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rustls::{ClientConfig, RootCertStore};
use unseal_agent::{LinkCredentials, SdkKms};

pub use connector::{Parent, WayError};

use crate::clock::Clock;
use crate::error::Fatal;

/// The only protocol that is offered within TLS.
const ALPN: &[u8] = b"http/1.1";

/// How certificates are judged, and at which time.
pub struct Tls {
    config: ClientConfig,
    clock: Clock,
}

impl Tls {
    /// By these roots alone, at `clock`'s time.
    pub fn new(roots: RootCertStore, clock: Clock) -> Result<Self, Fatal> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(clock.clone()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Fatal::Root(format!("TLS: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config, clock })
    }
}

/// KMS of every Region over `parent`'s relay; requests are signed at the same time that certificates are judged at.
pub fn client(
    parent: impl Parent,
    tls: Tls,
    region: String,
    credentials: LinkCredentials,
) -> SdkKms {
    let (told, shown) = (credentials.clone(), tls.clock.clone());
    credentials.tell_clock(move || shown.now().as_secs());
    let settings = unseal_agent::config(region, SharedCredentialsProvider::new(credentials));
    let settings = settings.time_source(tls.clock.clone());
    SdkKms::new(settings.http_client(http_client(parent, tls)), move || {
        told.refused();
    })
}

/// The SDK's HTTP client over `parent`'s relay; it keeps connections for each endpoint.
pub fn http_client(parent: impl Parent, tls: Tls) -> SharedHttpClient {
    client::http_client(connector::Connector::new(parent, tls.config))
}
