//! What every scenario stands on: the environment, its own tenant, and ways to change and to wait.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chamber_api::{ChamberCluster, ChamberClusterStatus};
use demo::chambers::{Shape, chamber_cluster};
use demo::wait::{self, Seen};
use demo::{Environment, Release, Tenant, kubernetes, operator};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

/// Name of the tests' cluster.
const NAME: &str = "e2e";
/// How long a whole rollover may take here.
pub const ROLLOVER: Duration = Duration::from_mins(3);
/// How long a condition may take to show.
pub const SOON: Duration = Duration::from_secs(75);

/// The environment and the tenants, one a scenario.
pub struct Stage {
    name: &'static str,
    /// Cluster, emulator, Prometheus, releases.
    pub environment: Environment,
    tenants: BTreeMap<&'static str, Tenant>,
}

impl Stage {
    /// Starts the cluster, the surroundings and the operator, with one tenant a name.
    pub async fn set(tenants_of: &[&'static str]) -> Result<Self> {
        let stage = Box::pin(Self::without_operator(NAME, tenants_of)).await?;
        stage
            .environment
            .install_operator(&operator::values())
            .await?;
        Ok(stage)
    }

    /// Starts the cluster of this name and the surroundings, with one tenant a name.
    pub async fn without_operator(name: &'static str, tenants_of: &[&'static str]) -> Result<Self> {
        let mut tenants = BTreeMap::new();
        for tenant in tenants_of {
            let namespace = format!("e2e-{}", tenant.replace('_', "-"));
            let cluster_id = format!("test-{}", tenant.replace('_', "-"));
            let cluster_id: String = cluster_id.chars().take(40).collect();
            tenants.insert(*tenant, Tenant::new(&namespace, "signer", &cluster_id, 3)?);
        }
        let all: Vec<Tenant> = tenants.values().cloned().collect();
        let environment = Box::pin(Environment::start(name, &all)).await?;
        Ok(Self {
            name,
            environment,
            tenants,
        })
    }

    /// Ends the cluster, where it is ours.
    pub async fn tear_down(self) -> Result<()> {
        if std::env::var_os("KUBECONFIG").is_some() {
            return Ok(());
        }
        tokio::task::spawn_blocking(move || cluster::Cluster::down(self.name)).await?
    }

    /// The tenant of a scenario.
    pub fn tenant(&self, scenario: &str) -> Result<&Tenant> {
        self.tenants
            .get(scenario)
            .with_context(|| format!("scenario {scenario} has no tenant"))
    }

    /// The `ChamberClusters` of a tenant's namespace.
    pub fn clusters(&self, tenant: &Tenant) -> Api<ChamberCluster> {
        Api::namespaced(self.environment.client.clone(), &tenant.namespace)
    }

    /// Declares a `ChamberCluster` on a release, with the tests' short times.
    pub async fn declare(&self, tenant: &Tenant, release: &Release) -> Result<()> {
        let object = self.object(tenant, release);
        kubernetes::apply(&self.environment.client, &object)
            .await
            .map(drop)
    }

    /// Declares a release, and waits until it is settled.
    pub async fn settle(&self, tenant: &Tenant, release: &Release) -> Result<ChamberClusterStatus> {
        self.declare(tenant, release).await?;
        self.settled(tenant, release).await
    }

    /// Both releases, old one first.
    pub fn releases(&self) -> (&Release, &Release) {
        let releases = &self.environment.releases;
        (&releases.v1, &releases.v2)
    }

    /// Sets annotations: the verbs.
    pub async fn annotate(&self, tenant: &Tenant, annotations: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        self.clusters(tenant)
            .patch(&tenant.name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// The object that `declare` applies.
    pub fn object(&self, tenant: &Tenant, release: &Release) -> Value {
        let shape = Shape {
            settle_time: "1s".into(),
            soak_time: "3s".into(),
            ..Shape::default()
        };
        chamber_cluster(tenant, release, &shape)
    }

    /// Changes fields of the spec.
    pub async fn change(&self, tenant: &Tenant, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.clusters(tenant)
            .patch(&tenant.name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Waits until the status is as `look` wants it; the error tells the last status.
    pub async fn until(
        &self,
        tenant: &Tenant,
        limit: Duration,
        what: &str,
        look: impl Fn(&ChamberClusterStatus) -> bool,
    ) -> Result<ChamberClusterStatus> {
        let seen = |cluster: Option<&ChamberCluster>| {
            let status = cluster
                .and_then(|cluster| cluster.status.clone())
                .unwrap_or_default();
            if look(&status) {
                return Seen::Yes(status);
            }
            Seen::NotYet(format!(
                "step {:?}, reason {:?}, {:?}, chambers {:?}, keys {:?}",
                status.step,
                status.reason,
                status.message,
                status.chambers_ready,
                status.keys_in_sync
            ))
        };
        // A status is large, and a future that holds one is in every other future here.
        let clusters = self.clusters(tenant);
        let found = Box::pin(wait::until(&clusters, &tenant.name, limit, what, seen)).await;
        let Err(error) = found else {
            return found;
        };
        let client = &self.environment.client;
        match kubernetes::troubles(client, &tenant.namespace).await {
            none if none.is_empty() => Err(error),
            troubles => Err(error.context(troubles)),
        }
    }

    /// Waits until all chambers were verified on a release and nothing is in flight.
    pub async fn settled(
        &self,
        tenant: &Tenant,
        release: &Release,
    ) -> Result<ChamberClusterStatus> {
        let image = release.image_sha384().to_owned();
        self.until(
            tenant,
            ROLLOVER,
            &format!("{} to be settled on {}", tenant.name, release.name),
            |status| {
                let on = status
                    .current
                    .as_ref()
                    .map(|current| current.measurement.image_sha384.as_str());
                status.rollover.is_none()
                    && status.reason.is_none()
                    && on == Some(&image)
                    && status.chambers_ready.as_deref() == Some("3/3")
            },
        )
        .await
    }

    /// Waits for a reason, and checks that its message names what it must.
    pub async fn blocked(
        &self,
        tenant: &Tenant,
        reason: &str,
        names: &[&str],
    ) -> Result<ChamberClusterStatus> {
        // What somebody has asked for is no fault.
        let by_design =
            ["DryRun", "Paused", "AwaitingKeyHolder", "ManifestWanted"].contains(&reason);
        let what = format!("reason {reason}, and condition Stalled that fits it");
        let status = self
            .until(tenant, SOON, &what, |status| {
                status.reason.as_deref() == Some(reason) && fits(status, reason, by_design)
            })
            .await?;
        let message = status.message.clone().unwrap_or_default();
        for name in names {
            if !message.contains(name) {
                bail!("the message of {reason} does not name {name:?}: {message}");
            }
        }
        Ok(status)
    }

    /// The chambers' pods.
    pub async fn pods(&self, tenant: &Tenant) -> Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(self.environment.client.clone(), &tenant.namespace);
        let ours = ListParams::default().labels("chamber.dev/cluster,chamber.dev/role=chamber");
        Ok(pods.list(&ours).await?.items)
    }

    /// Nothing was started and no policy of the tenant's keys was written.
    pub async fn untouched(&self, tenant: &Tenant) -> Result<()> {
        let sets: Api<ReplicaSet> =
            Api::namespaced(self.environment.client.clone(), &tenant.namespace);
        if let Some(set) = sets.list(&ListParams::default()).await?.items.first() {
            bail!("ReplicaSet {} was made", set.name_any());
        }
        let arns = tenant.key_arns();
        let calls = self.environment.emulator().audit(0).await?;
        let writes = ["PutKeyPolicy", "TagResource", "Encrypt"];
        match calls.iter().find(|call| {
            let ours = call.key.as_ref().is_some_and(|key| arns.contains(key));
            ours && writes.contains(&call.operation.as_str())
        }) {
            None => Ok(()),
            Some(call) => bail!("{} was called on {:?}", call.operation, call.key),
        }
    }
}

/// Whether condition Stalled is as it has to be: True for this reason, or False where somebody has asked for it.
fn fits(status: &ChamberClusterStatus, reason: &str, by_design: bool) -> bool {
    let mut conditions = status.conditions.iter();
    let stalled = conditions.find(|condition| condition.type_ == "Stalled");
    stalled.is_some_and(|stalled| match stalled.status.as_str() {
        "True" => !by_design && stalled.reason == reason,
        _ => by_design && stalled.status == "False",
    })
}

/// Every key admits this release and no other.
pub fn only(status: &ChamberClusterStatus, release: &Release) -> Result<()> {
    for key in &status.keys {
        if !key.in_sync || key.admitted != [release.image_sha384()[..10].to_owned()] {
            bail!("key {} admits {:?}", key.name, key.admitted);
        }
    }
    Ok(())
}
