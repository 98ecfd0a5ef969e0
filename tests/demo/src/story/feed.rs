//! What happens in the cluster, as one stream.

use chamber_api::ChamberCluster;
use futures::stream::{BoxStream, StreamExt, select};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client};

use crate::aws::Tenant;

/// What a watch tells of the cluster.
pub enum WatchEvent {
    /// The `ChamberCluster` is there or changed.
    Cluster(Box<ChamberCluster>),
    /// A pod of it is there or changed.
    Pod(Box<Pod>),
    /// A pod of it is gone.
    PodGone(Box<Pod>),
    /// A watch was interrupted; it goes on.
    Interrupted(String),
}

/// Watches the tenant's `ChamberCluster` and its pods; never ends.
pub fn open(client: &Client, tenant: &Tenant) -> BoxStream<'static, WatchEvent> {
    let clusters: Api<ChamberCluster> = Api::namespaced(client.clone(), &tenant.namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &tenant.namespace);
    let this = watcher::Config::default().fields(&format!("metadata.name={}", tenant.name));
    let label = format!("{}={}", chamber_api::names::CLUSTER_LABEL, tenant.name);
    let its = watcher::Config::default().labels(&label);
    let clusters = watch(clusters, this)
        .default_backoff()
        .filter_map(async |event| match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => {
                Some(WatchEvent::Cluster(Box::new(object)))
            }
            Ok(_) => None,
            Err(error) => Some(WatchEvent::Interrupted(error.to_string())),
        });
    let pods = watch(pods, its)
        .default_backoff()
        .filter_map(async |event| match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => Some(WatchEvent::Pod(Box::new(pod))),
            Ok(Event::Delete(pod)) => Some(WatchEvent::PodGone(Box::new(pod))),
            Ok(_) => None,
            Err(error) => Some(WatchEvent::Interrupted(error.to_string())),
        });
    select(clusters.boxed(), pods.boxed()).boxed()
}
