//! The way to the API server: kubeconfig, context, user and proxy, as kubectl takes them.
//!
//! kube's own loader is not used: it reads `NO_PROXY` as no other program does (`no_proxy.rs`) and ends where it cannot.

mod kubeconfig;
mod no_proxy;
mod proxy;
mod socks;

use http::Uri;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster};
use kube::{Client, Config};

use crate::arguments::Connection;
use crate::output::Failure;
use kubeconfig::Chosen;
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
    let mut config = direct(server, chosen, asked)?;
    let client = match proxy {
        Some(Proxy {
            url,
            credentials: Some(who),
            ..
        }) => socks::client(&config, url, who),
        proxy => {
            config.proxy_url = proxy.map(|proxy| proxy.url);
            Client::try_from(config)
        }
    };
    let client = client.map_err(|why| unusable(&why))?;
    Ok(Connected { client, way })
}

/// The configuration without a proxy.
fn direct(server: Uri, chosen: Chosen, asked: &Connection) -> Result<Config, Failure> {
    let mut config = Config::new(server);
    config.default_namespace = chosen.namespace;
    secure(&mut config, &chosen.cluster)?;
    config.auth_info = user(chosen.user, &chosen.cluster, asked)?;
    Ok(config)
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

#[cfg(test)]
mod tests {
    use super::*;
    use kube::config::{KubeConfigOptions, Kubeconfig};
    use serde_json::{Value, json};

    /// A folder with a kubeconfig, and with an authority for those that name it as a file beside them.
    fn folder(name: &str, cluster: &Value, user: &Value) -> std::path::PathBuf {
        let folder = format!("kubectl-chamber-config-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let root = nsm_emulator::TestRoot::generate().unwrap();
        std::fs::write(folder.join("ca.crt"), root.certificate_pem().repeat(2)).unwrap();
        let config = json!({
            "current-context": "one",
            "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
        });
        std::fs::write(folder.join("config"), config.to_string()).unwrap();
        folder
    }

    /// What kube itself makes of a kubeconfig, but for the proxy.
    #[tokio::test]
    async fn a_kubeconfig_gives_what_kube_makes_of_it() {
        let server = "https://api.example.test:6443/path";
        let data =
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBRUMKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
        let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login",
            "args": ["a"], "provideClusterInfo": true, "interactiveMode": "Never"}});
        let certificate = json!({"client-certificate": "me.crt", "client-key-data": "AAAA"});
        for (name, cluster, user, authorities) in [
            (
                "bare",
                json!({"server": server}),
                json!({"token": "t"}),
                None,
            ),
            (
                "file",
                json!({"server": server, "certificate-authority": "ca.crt"}),
                certificate,
                Some(2),
            ),
            (
                "data",
                json!({"server": server, "certificate-authority-data": data}),
                exec,
                Some(1),
            ),
            (
                "rest",
                json!({"server": server, "insecure-skip-tls-verify": true, "tls-server-name": "other",
                    "disable-compression": true}),
                json!({"as": "alice", "as-groups": ["g"], "username": "u", "password": "p"}),
                None,
            ),
        ] {
            let folder = folder(name, &cluster, &user);
            let asked = Connection {
                kubeconfig: Some(folder.join("config")),
                namespace: None,
                context: None,
                as_user: None,
                as_group: Vec::new(),
            };
            let chosen = kubeconfig::chosen(&asked).unwrap();
            let ours = direct(super::server(&chosen.cluster).unwrap(), chosen, &asked).unwrap();
            let read = Kubeconfig::read_from(folder.join("config")).unwrap();
            let options = KubeConfigOptions::default();
            let mut theirs = Config::from_custom_kubeconfig(read, &options)
                .await
                .unwrap();
            theirs.proxy_url = None;
            assert_eq!(format!("{ours:#?}"), format!("{theirs:#?}"), "{name}");
            assert_eq!(ours.root_cert.map(|all| all.len()), authorities, "{name}");
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}
