//! The way to the API server: kubeconfig, context, user and proxy, as kubectl takes them.
//!
//! kube's own loader is not used: it reads `NO_PROXY` as no other program does (`no_proxy.rs`) and ends where it cannot.

mod kubeconfig;
mod no_proxy;
mod proxy;

use http::Uri;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster};
use kube::{Client, Config};

use crate::arguments::Connection;
use crate::output::Failure;
use proxy::Proxy;

/// A client, and what stands between it and the API server.
pub struct Connected {
    /// Of the target's API server and namespace.
    pub client: Client,
    /// The server, and the proxy on the way to it, for messages.
    pub way: String,
}

/// Makes a client of the API server that was asked for; nothing is sent yet.
pub fn connect(asked: &Connection) -> Result<Connected, Failure> {
    let chosen = kubeconfig::chosen(asked)?;
    let server = server(&chosen.cluster)?;
    let variable = |name: &str| std::env::var(name).ok();
    let proxy = proxy::of(&server, chosen.cluster.proxy_url.as_deref(), variable)?;
    let way = match &proxy {
        Some(proxy) => format!("{server} through {proxy}"),
        None => server.to_string(),
    };
    let mut config = Config::new(server);
    config.proxy_url = proxy.map(|Proxy { url, .. }| url);
    config.default_namespace = chosen.namespace;
    secure(&mut config, &chosen.cluster)?;
    config.auth_info = user(chosen.user, &chosen.cluster, asked)?;
    let client = Client::try_from(config).map_err(|why| unusable(&why))?;
    Ok(Connected { client, way })
}

/// The kubeconfig says something that cannot be used.
fn unusable(why: &dyn std::error::Error) -> Failure {
    Failure::Cluster(format!("kubeconfig: {why}"))
}

/// The address of the API server.
fn server(cluster: &Cluster) -> Result<Uri, Failure> {
    let text = cluster.server.as_deref().unwrap_or_default();
    let url = text.parse().ok();
    let known =
        |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    url.filter(known).ok_or_else(|| {
        Failure::Cluster(format!(
            "kubeconfig: server {text:?} of the cluster: expected https://HOST:PORT"
        ))
    })
}

/// How the server proves who it is.
fn secure(config: &mut Config, cluster: &Cluster) -> Result<(), Failure> {
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    // The only public way of kube to the authority, which may be a file or be written out.
    let loaded = ExecAuthCluster::try_from(cluster).map_err(|why| unusable(&why))?;
    if let Some(bundle) = loaded.certificate_authority_data {
        let blocks = pem::parse_many(bundle).map_err(|why| unusable(&why))?;
        let certificates = blocks
            .into_iter()
            .filter(|block| block.tag() == "CERTIFICATE");
        config.root_cert = Some(certificates.map(pem::Pem::into_contents).collect());
    }
    Ok(())
}

/// Who asks: the user of the context, and in whose name.
fn user(mut user: AuthInfo, cluster: &Cluster, asked: &Connection) -> Result<AuthInfo, Failure> {
    if let Some(exec) = &mut user.exec
        && exec.provide_cluster_info
    {
        exec.cluster = Some(cluster.try_into().map_err(|why| unusable(&why))?);
    }
    if let Some(name) = &asked.as_user {
        user.impersonate = Some(name.clone());
    }
    if !asked.as_group.is_empty() {
        user.impersonate_groups = Some(asked.as_group.clone());
    }
    Ok(user)
}
