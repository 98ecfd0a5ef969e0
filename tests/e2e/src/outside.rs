//! Pods of the cluster, reached from this machine.

use std::time::Duration;

use anyhow::{Context, Result};
use demo::kubernetes;
use http::Uri;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::config::Kubeconfig;
use serde_json::json;
use tokio::net::TcpStream;

use crate::stage::{SOON, Stage};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// The URL of a Service's pods, through a port of the node. Only a cluster of ours has a node that is reached.
pub async fn url(stage: &Stage, namespace: &str, app: &str, port: u16) -> Result<String> {
    let kubeconfig = Kubeconfig::read_from(stage.environment.host.kubeconfig())?;
    let cluster = kubeconfig.clusters.into_iter().next();
    let server = cluster.and_then(|named| named.cluster?.server);
    let server: Uri = server.context("the kubeconfig names no server")?.parse()?;
    let node = server.host().context("no host")?;
    let port = node_port(stage, namespace, app, port).await?;
    answers(&format!("{node}:{port}")).await?;
    Ok(format!("http://{node}:{port}"))
}

/// The API server gives the port at once; the node opens it when its proxy has heard of it.
async fn answers(address: &str) -> Result<()> {
    let connected = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(SOON, connected)
        .await
        .with_context(|| format!("{address} does not answer"))
}

/// A port of the node that leads to a Service's pods.
async fn node_port(stage: &Stage, namespace: &str, app: &str, port: u16) -> Result<i32> {
    let client = stage.environment.client.clone();
    let name = format!("{app}-outside");
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "NodePort", "selector": {"app": app}, "ports": [{"port": port}]},
    });
    kubernetes::apply(&client, &service).await?;
    let services: Api<Service> = Api::namespaced(client, namespace);
    let ports = services.get(&name).await?.spec.and_then(|spec| spec.ports);
    let port = ports.and_then(|ports| ports.first()?.node_port);
    port.with_context(|| format!("Service {name} has no node port"))
}
