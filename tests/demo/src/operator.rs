//! Installing the operator as a user does: helm and the chart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::aws::REGION;
use crate::kubernetes;
use crate::manifests::{self, KMS_URL, OPERATOR, OPERATOR_CREDENTIALS};
use crate::wait::{self, MINUTE, Seen};

/// Where helm is and which cluster it speaks to.
#[derive(Clone, Debug)]
pub struct Helm {
    /// The program.
    pub program: PathBuf,
    /// The cluster.
    pub kubeconfig: PathBuf,
}

/// The chart of this repository.
pub fn chart() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../charts/chamber-operator"
    ))
}

/// Values of the demo's release.
pub fn values() -> Value {
    json!({
        "image": {"repository": "chamber.local/chamber-operator", "tag": "dev"},
        "aws": {"region": REGION, "endpointUrl": KMS_URL, "credentialsSecret": OPERATOR_CREDENTIALS},
        "logFormat": "text",
        "logLevel": "info",
    })
}

/// Installs or upgrades the release; does not wait for it.
pub async fn install(
    client: &Client,
    helm: &Helm,
    environment: &BTreeMap<&str, &str>,
    values: &Value,
) -> Result<()> {
    let secret = manifests::secret(OPERATOR, OPERATOR_CREDENTIALS, environment);
    kubernetes::apply(client, &secret).await?;
    let mut child = Command::new(&helm.program)
        .args(["upgrade", "--install", OPERATOR])
        .arg(chart())
        .args(["--namespace", OPERATOR, "--values", "-", "--kubeconfig"])
        .arg(&helm.kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", helm.program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(values.to_string().as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!(
            "helm upgrade --install {OPERATOR}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Waits until all replicas of a Deployment are available.
pub async fn available(client: &Client, namespace: &str, name: &str) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let what = format!("Deployment {namespace}/{name} to be available");
    let waited = wait::until(&deployments, name, MINUTE, &what, deployment_available).await;
    match waited {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(kubernetes::troubles(client, namespace).await)),
    }
}

fn deployment_available(found: Option<&Deployment>) -> Seen<()> {
    let Some(status) = found.and_then(|deployment| deployment.status.as_ref()) else {
        return Seen::NotYet("it has no status".into());
    };
    let generation = found.and_then(|deployment| deployment.metadata.generation);
    let (wanted, available) = (status.replicas, status.available_replicas);
    if status.observed_generation >= generation
        && wanted.is_some()
        && wanted == available
        && status.updated_replicas == wanted
    {
        return Seen::Yes(());
    }
    Seen::NotYet(format!(
        "{} of {} replicas are available",
        available.unwrap_or(0),
        wanted.unwrap_or(0)
    ))
}
