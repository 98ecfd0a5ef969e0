//! A cluster with everything around the operator: KMS emulator, Prometheus, credentials, releases.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use crate::aws::{self, Credentials, Tenant};
use crate::cluster_host::ClusterHost;
use crate::emulator::Emulator;
use crate::manifests::{self, AWS_NAMESPACE, MONITORING_NAMESPACE, OPERATOR};
use crate::operator::{self, Helm};
use crate::releases::Releases;
use crate::roots::Roots;
use crate::{chambers, kubernetes};

/// Everything the demo and the end-to-end tests stand on.
pub struct Environment {
    /// Speaks to the cluster as its administrator.
    pub client: Client,
    /// The cluster.
    pub host: ClusterHost,
    /// The two releases.
    pub releases: Releases,
    operator: Credentials,
    roots: Roots,
}

impl Environment {
    /// Starts from a clean cluster of this name and waits until the emulator and Prometheus run.
    pub async fn start(name: &str, tenants: &[Tenant]) -> Result<Self> {
        Box::pin(Self::on(ClusterHost::fresh(name).await?, tenants)).await
    }

    /// Puts emulator, Prometheus and tenants on a cluster and waits until they run.
    ///
    /// The tenants' principals and keys are in the emulator's configuration, their namespaces and Secrets are there.
    pub async fn on(host: ClusterHost, tenants: &[Tenant]) -> Result<Self> {
        let client = connect(&host).await?;
        let releases = host.releases()?;
        let roots = host.roots()?;
        let environment = Self {
            client,
            host,
            releases,
            operator: aws::operator_credentials()?,
            roots,
        };
        environment.clear(tenants).await?;
        environment.apply_surroundings(tenants).await?;
        let available = |namespace, name| operator::available(&environment.client, namespace, name);
        tokio::try_join!(
            available(AWS_NAMESPACE, "kms-emulator"),
            available(MONITORING_NAMESPACE, "prometheus"),
        )?;
        Ok(environment)
    }

    /// Installs the operator with its chart and waits until it is available. `values` as in [`operator::values`].
    pub async fn install_operator(&self, values: &Value) -> Result<()> {
        let helm = Helm {
            program: self.host.helm(),
            kubeconfig: self.host.kubeconfig().to_owned(),
        };
        operator::install(&self.client, &helm, &self.operator_environment(), values).await?;
        operator::available(&self.client, OPERATOR, OPERATOR).await
    }

    /// Installs all of the chart but running operators: for an operator that is a process of this machine.
    pub async fn install_operator_at_rest(&self) -> Result<()> {
        let mut values = operator::values();
        values["replicas"] = serde_json::json!(0);
        let helm = Helm {
            program: self.host.helm(),
            kubeconfig: self.host.kubeconfig().to_owned(),
        };
        operator::install(&self.client, &helm, &self.operator_environment(), &values).await
    }

    /// The operator's identity at AWS, as the standard environment variables, and the root that chambers attest under.
    pub fn operator_environment(&self) -> BTreeMap<&'static str, &str> {
        let mut variables = self.operator.environment();
        variables.insert("CHAMBER_TEST_NITRO_ROOT", &self.roots.nsm);
        variables
    }

    /// The emulator's admin port.
    pub fn emulator(&self) -> Emulator {
        Emulator::new(self.client.clone())
    }

    /// Declares the tenant's `ChamberCluster` on this release.
    pub async fn apply_chamber_cluster(
        &self,
        tenant: &Tenant,
        release: &crate::Release,
        shape: &chambers::Shape,
    ) -> Result<()> {
        let object = chambers::chamber_cluster(tenant, release, shape);
        kubernetes::apply(&self.client, &object).await.map(drop)
    }

    /// Namespaces of an earlier run go first: a cluster that is not ours may still hold them.
    async fn clear(&self, tenants: &[Tenant]) -> Result<()> {
        let mut names: Vec<&str> = tenants.iter().map(|t| t.namespace.as_str()).collect();
        names.extend([OPERATOR, AWS_NAMESPACE, MONITORING_NAMESPACE]);
        for name in names {
            kubernetes::delete_namespace(&self.client, name).await?;
        }
        Ok(())
    }

    async fn apply_surroundings(&self, tenants: &[Tenant]) -> Result<()> {
        for file in [manifests::NAMESPACES, manifests::PROMETHEUS] {
            kubernetes::apply_all(&self.client, &kubernetes::documents(file)?).await?;
        }
        let config = aws::emulator_config(&self.operator, tenants, &self.roots)?.to_string();
        let files = BTreeMap::from([("config.json", config.as_str())]);
        let secret = manifests::secret(AWS_NAMESPACE, "kms-emulator", &files);
        kubernetes::apply(&self.client, &secret).await?;
        let emulator = kubernetes::documents(manifests::KMS_EMULATOR)?;
        kubernetes::apply_all(&self.client, &emulator).await?;
        for tenant in tenants {
            self.prepare(tenant).await?;
        }
        Ok(())
    }

    async fn prepare(&self, tenant: &Tenant) -> Result<()> {
        let namespace = manifests::namespace(&tenant.namespace);
        kubernetes::apply(&self.client, &namespace).await?;
        let secrets = manifests::tenant_secrets(tenant, &self.roots.nsm_signer);
        kubernetes::apply_all(&self.client, &secrets).await
    }
}

async fn connect(host: &ClusterHost) -> Result<Client> {
    let file = host.kubeconfig();
    let kubeconfig = Kubeconfig::read_from(file).with_context(|| file.display().to_string())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
