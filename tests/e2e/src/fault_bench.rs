//! A cluster whose operator is a process of this machine behind a proxy: it can be killed, frozen and cut off at any call.

use std::path::PathBuf;

use anyhow::{Context, Result};
use chamber_api::{ChamberClusterStatus, names};
use demo::manifests::{AWS_NAMESPACE, MONITORING_NAMESPACE, OPERATOR};
use demo::{Release, Tenant, kubernetes};
use http::Uri;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;

use crate::outside;
use crate::stage::Stage;

/// How long the operator's token lives, in seconds: longer than any run.
const TOKEN: i64 = 6 * 3600;

/// The stage, and where its servers are seen from outside of the cluster.
pub struct FaultBench {
    /// Cluster, emulator, Prometheus, tenants; no operator.
    pub stage: Stage,
    /// The API server.
    pub(crate) kubernetes: Uri,
    /// Certificate of its authority, PEM.
    pub(crate) authority: Vec<u8>,
    /// KMS and STS.
    pub(crate) aws: Uri,
    /// The operator's service account. Secret.
    pub(crate) token: String,
    prometheus: String,
    logs: PathBuf,
}

impl FaultBench {
    /// Starts the cluster of this name with everything but an operator, and one tenant a name.
    pub async fn set(name: &'static str, tenants: &[&'static str]) -> Result<Self> {
        let stage = Box::pin(Stage::without_operator(name, tenants)).await?;
        let environment = &stage.environment;
        environment.install_operator_at_rest().await?;
        let kubeconfig = Kubeconfig::read_from(environment.host.kubeconfig())?;
        let cluster = kubeconfig.clusters.into_iter().next();
        let cluster = cluster.and_then(|named| named.cluster);
        let cluster = cluster.context("the kubeconfig has no cluster")?;
        let kubernetes: Uri = cluster.server.context("no server")?.parse()?;
        let authority = cluster.certificate_authority.context("no authority")?;
        let aws = outside::url(&stage, AWS_NAMESPACE, "kms-emulator", 4566).await?;
        let prometheus = outside::url(&stage, MONITORING_NAMESPACE, "prometheus", 9090).await?;
        let log = environment.host.audit_log();
        let log = log.context("the kill matrix and the faults need a cluster of ours")?;
        Ok(Self {
            authority: std::fs::read(authority)?,
            aws: aws.parse()?,
            prometheus,
            token: token(&stage).await?,
            logs: log.parent().context("no folder")?.join("logs"),
            kubernetes,
            stage,
        })
    }

    /// The folder of the cluster's logs.
    pub fn logs(&self) -> &PathBuf {
        &self.logs
    }

    /// Gives the operator's service account a Lease for each of these identities; the chart's role names one alone.
    pub async fn allow_leases(&self, identities: &[&str]) -> Result<()> {
        let names: Vec<_> = identities.iter().map(|name| lease_name(name)).collect();
        let name = "leases-of-the-tests";
        let (api, kinds) = ("rbac.authorization.k8s.io", "coordination.k8s.io");
        let role = json!({
            "apiVersion": format!("{api}/v1"), "kind": "Role",
            "metadata": {"name": name, "namespace": OPERATOR},
            "rules": [{"apiGroups": [kinds], "resources": ["leases"], "resourceNames": names, "verbs": ["get", "update"]}],
        });
        let binding = json!({
            "apiVersion": format!("{api}/v1"), "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": OPERATOR},
            "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": OPERATOR}],
        });
        kubernetes::apply_all(&self.stage.environment.client, &[role, binding]).await
    }

    /// Declares a release, with the shortest times that are no special case.
    pub async fn declare(&self, tenant: &Tenant, release: &Release) -> Result<()> {
        let mut object = self.stage.object(tenant, release);
        object["spec"]["verification"] =
            json!({"prometheus": {"url": self.prometheus}, "soakTime": "1s"});
        kubernetes::apply(&self.stage.environment.client, &object)
            .await
            .map(drop)
    }

    /// Waits until the release is all that runs and is admitted.
    pub async fn settled(
        &self,
        tenant: &Tenant,
        release: &Release,
    ) -> Result<ChamberClusterStatus> {
        self.stage.settled(tenant, release).await
    }

    /// Deletes the sealed Secret of a release that does not run, so that the next rollover binds it again.
    pub async fn forget_blob(&self, tenant: &Tenant, release: &Release) -> Result<()> {
        let client = self.stage.environment.client.clone();
        let secrets: Api<Secret> = Api::namespaced(client, &tenant.namespace);
        let name = names::sealed_secret(&tenant.name, &release.parsed()?.id());
        match secrets.delete(&name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The Lease of the operator with this identity.
pub(crate) fn lease_name(identity: &str) -> String {
    format!("{OPERATOR}-{}", identity.replace('_', "-"))
}

/// The chart's service account: the operator has the rights that users give it.
async fn token(stage: &Stage) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(stage.environment.client.clone(), OPERATOR);
    let wanted = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(TOKEN),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let made = accounts
        .create_token_request(OPERATOR, &PostParams::default(), &wanted)
        .await?;
    let status = made.status.context("no token was made")?;
    Ok(status.token)
}
