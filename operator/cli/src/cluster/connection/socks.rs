//! A SOCKS5 proxy that asks for a user and a password (RFC 1929), which kube's own client would not tell it.

use http::Uri;
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use super::proxy::Credentials;

/// The client of a configuration that names no proxy, through this one.
pub fn client(config: &Config, proxy: Uri, who: Credentials) -> Result<Client, kube::Error> {
    // As kube does it: where a provider is there already, that one stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    let socks = SocksV5::new(proxy, direct).with_auth(who.user, who.password);
    let secure = config.rustls_https_connector_with_connector(socks)?;
    let connections = Connections::builder(TokioExecutor::new()).build::<_, Body>(secure);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(connections);
    Ok(Client::new(service, config.default_namespace.clone()))
}
