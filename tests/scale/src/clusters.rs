//! The `ChamberClusters`: one chamber and one key each, sealed by somebody else.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chamber_api::ChamberCluster;
use demo::aws::Tenant;
use futures::{StreamExt, TryStreamExt, pin_mut, stream};
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::Config;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::kubelet::NODE;

/// Calls of this process at the same time.
const AT_ONCE: usize = 16;
/// Between the writes of Admit and the first start, and without a rejection before Retire.
pub const SETTLE: &str = "5s";
/// Without a rejection before Retire.
pub const SOAK: &str = "5s";

/// Namespaces of so many clusters.
pub fn namespaces(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("scale-{number}")).collect()
}

/// What each cluster has at AWS.
pub fn tenants(count: u32, namespaces: &[String]) -> Result<Vec<Tenant>> {
    let all = (0..count).zip(namespaces.iter().cycle());
    all.map(|(number, namespace)| {
        let name = format!("signer-{number}");
        Tenant::new(namespace, &name, &format!("scale-local-{number}"), 1)
    })
    .collect()
}

/// An image whose PCR0 is this byte.
pub struct Release(pub &'static str);

impl Release {
    fn measurement(&self) -> String {
        self.0.repeat(48)
    }

    fn value(&self) -> Value {
        let digest = self.0.repeat(32);
        json!({"image": format!("registry.example/signer@sha256:{digest}"),
            "measurement": {"imageSha384": self.measurement()}})
    }
}

/// The whole object.
fn object(tenant: &Tenant, release: &Release, prometheus: &str) -> Value {
    let shares: Vec<_> = tenant
        .key_arns()
        .into_iter()
        .map(|arn| json!({"name": "a", "arn": arn, "assumeRoleArn": tenant.admin_role_arn()}))
        .collect();
    json!({
        "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": tenant.name, "namespace": tenant.namespace},
        "spec": {
            "clusterId": tenant.cluster_id,
            "release": release.value(),
            "keys": {"threshold": 1, "shares": shares},
            "sealing": "External",
            "chambers": {"replicas": 1, "template": {"spec": {
                "nodeName": NODE,
                "containers": [{"name": "enclave", "ports": [{"name": "http", "containerPort": 9000}]}],
            }}},
            "verification": {"prometheus": {"url": prometheus}, "soakTime": SOAK},
            "rollover": {"maxUnavailable": 1, "maxSurge": 0, "settleTime": SETTLE},
        },
    })
}

/// Makes all of them, or gives all of them this release; and how long each took to be settled, in order.
pub async fn declare(
    client: &Client,
    tenants: &[Tenant],
    release: &Release,
    prometheus: &str,
    limit: Duration,
) -> Result<Vec<Duration>> {
    let began = stream::iter(tenants)
        .map(async |tenant| {
            let began = Instant::now();
            let api = Api::<ChamberCluster>::namespaced(client.clone(), &tenant.namespace);
            let object = Patch::Apply(object(tenant, release, prometheus));
            let params = PatchParams::apply("bench-scale").force();
            api.patch(&tenant.name, &params, &object).await?;
            anyhow::Ok(((tenant.namespace.clone(), tenant.name.clone()), began))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect();
    // The watch begins before the writes do: who is settled first is seen in time.
    let settled = settled(client, tenants.len(), release);
    let both = async { futures::try_join!(began, settled) };
    let Ok(both) = tokio::time::timeout(limit, both).await else {
        bail!("not all clusters were settled within {limit:?}");
    };
    let (began, settled): (HashMap<_, Instant>, _) = both?;
    let mut took: Vec<_> = settled
        .iter()
        .filter_map(|(name, at)| Some(at.duration_since(*began.get(name)?)))
        .collect();
    took.sort();
    Ok(took)
}

/// When each of so many clusters was settled on this release.
async fn settled(
    client: &Client,
    count: usize,
    release: &Release,
) -> Result<HashMap<(String, String), Instant>> {
    let all = Api::<ChamberCluster>::all(client.clone());
    let events = watcher(all, Config::default())
        .default_backoff()
        .applied_objects();
    pin_mut!(events);
    let mut settled = HashMap::new();
    while settled.len() < count {
        match events.next().await {
            Some(Ok(cluster)) if is_settled(&cluster, release) => {
                let name = (cluster.namespace().unwrap_or_default(), cluster.name_any());
                settled.entry(name).or_insert_with(Instant::now);
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => eprintln!("watching clusters: {error}"),
            None => bail!("the watch of clusters has ended"),
        }
    }
    Ok(settled)
}

fn is_settled(cluster: &ChamberCluster, release: &Release) -> bool {
    let Some(status) = &cluster.status else {
        return false;
    };
    let current = status.current.as_ref();
    let on = current.map(|current| current.measurement.image_sha384.as_str());
    status.rollover.is_none()
        && status.reason.is_none()
        && on == Some(&release.measurement())
        && status.chambers_ready.as_deref() == Some("1/1")
}
