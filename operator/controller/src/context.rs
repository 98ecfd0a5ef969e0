//! What every reconcile needs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use attestation::Root;
use chamber_api::ChamberCluster;
use chamber_resource::spec::Uids;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt};
use rollover::Readings;

use crate::clock::Clock;
use crate::election::Lease;
use crate::events::Events;
use crate::fencing_token::FencingToken;
use crate::hosts::Hosts;
use crate::kms::{Access, Keyring};
use crate::kubernetes;
use crate::locked::lock;
use crate::pace::Pace;
use crate::prometheus::Prometheus;
use crate::refusals::Refusals;
use crate::settings::Settings;
use crate::telemetry::Telemetry;

/// What every reconcile needs.
pub struct Context {
    /// What time it is.
    pub clock: Clock,
    /// Kubernetes.
    pub client: Client,
    /// Settings of the process.
    pub settings: Settings,
    /// KMS clients, one per key and role.
    pub keyring: Keyring,
    /// Prometheus servers.
    pub prometheus: Prometheus,
    /// Host processes of pods.
    pub hosts: Hosts,
    /// The root that attestation documents lead to.
    pub root: Root,
    /// Events on the resources.
    pub events: Events,
    /// The operator's own metrics.
    pub telemetry: Arc<Telemetry>,
    /// Whether this replica leads.
    pub lease: Lease,
    /// This process' token on `ReplicaSets`.
    pub fencing_token: FencingToken,
    /// All `ChamberClusters` that are watched.
    pub clusters: Vec<Store<ChamberCluster>>,
    /// uid of namespace kube-system: names the Kubernetes cluster in tags and external ids.
    pub cluster_uid: String,
    /// Last reading of the keys, by uid of the resource.
    readings: Mutex<HashMap<String, Readings>>,
    /// How often each cluster has its turn.
    pub pace: Pace,
    /// Keys that refuse what would change them.
    pub refusals: Refusals,
    /// uid of the namespace, by uid of a resource in it.
    namespaces: Mutex<HashMap<String, String>>,
    /// The rollover whose Retire this process itself has begun, by uid of the resource.
    retiring: Mutex<HashMap<String, (u64, String)>>,
}

/// The parts of a context that are made before it.
pub struct Parts {
    /// What time it is.
    pub clock: Clock,
    /// Kubernetes.
    pub client: Client,
    /// Settings of the process.
    pub settings: Settings,
    /// KMS clients.
    pub keyring: Keyring,
    /// Prometheus servers.
    pub prometheus: Prometheus,
    /// Host processes of pods.
    pub hosts: Hosts,
    /// The root that attestation documents lead to.
    pub root: Root,
    /// The operator's own metrics.
    pub telemetry: Arc<Telemetry>,
    /// Whether this replica leads.
    pub lease: Lease,
    /// All `ChamberClusters` that are watched.
    pub clusters: Vec<Store<ChamberCluster>>,
    /// uid of namespace kube-system.
    pub cluster_uid: String,
}

impl Context {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let fencing_token = FencingToken::new(&parts.settings.identity);
        let events = Events::new(parts.client.clone(), &parts.settings.identity);
        Self {
            clock: parts.clock,
            client: parts.client,
            settings: parts.settings,
            keyring: parts.keyring,
            prometheus: parts.prometheus,
            hosts: parts.hosts,
            root: parts.root,
            events,
            telemetry: parts.telemetry,
            lease: parts.lease,
            fencing_token,
            clusters: parts.clusters,
            cluster_uid: parts.cluster_uid,
            readings: Mutex::default(),
            pace: Pace::default(),
            refusals: Refusals::default(),
            namespaces: Mutex::default(),
            retiring: Mutex::default(),
        }
    }

    /// The way to a cluster's keys.
    pub fn keys<'a>(&'a self, cluster: &'a ChamberCluster) -> Access<'a> {
        Access {
            keyring: &self.keyring,
            telemetry: &self.telemetry,
            lease: &self.lease,
            clock: &self.clock,
            cluster,
        }
    }

    /// The uids that tell a resource from one of the same name elsewhere.
    ///
    /// A namespace that is made anew has resources of new uids, so one call for each resource is enough.
    pub async fn uids(&self, cluster: &ChamberCluster) -> Result<Uids, kubernetes::Error> {
        let uid = cluster.uid().unwrap_or_default();
        let known = lock(&self.namespaces).get(&uid).cloned();
        let namespace = if let Some(known) = known {
            known
        } else {
            let name = cluster.namespace().unwrap_or_default();
            let found = Api::<Namespace>::all(self.client.clone())
                .get(&name)
                .await?;
            let found = found.uid().unwrap_or_default();
            lock(&self.namespaces).insert(uid, found.clone());
            found
        };
        let cluster = self.cluster_uid.clone();
        Ok(Uids { cluster, namespace })
    }

    /// The last reading of a cluster's keys.
    pub fn last_reading(&self, uid: &str) -> Option<Readings> {
        let readings = lock(&self.readings);
        readings.get(uid).cloned()
    }

    /// Keeps a reading; `None` forgets it.
    pub fn keep_reading(&self, uid: &str, found: Option<Readings>) {
        let mut readings = lock(&self.readings);
        match found {
            Some(found) => readings.insert(uid.to_owned(), found),
            None => readings.remove(uid),
        };
    }

    /// This process has begun Retire of the rollover of this number to this measurement, and status says so.
    pub fn begun_to_retire(&self, uid: &str, number: u64, target: String) {
        let mut retiring = lock(&self.retiring);
        retiring.insert(uid.to_owned(), (number, target));
    }

    /// Number and target's measurement id of the rollover whose Retire this process has begun.
    pub fn retire_witnessed(&self, uid: &str) -> Option<(u64, String)> {
        let retiring = lock(&self.retiring);
        retiring.get(uid).cloned()
    }

    /// The resource is gone.
    pub fn forget(&self, cluster: &ChamberCluster) {
        let uid = cluster.uid().unwrap_or_default();
        self.keep_reading(&uid, None);
        self.refusals.forget(&uid);
        self.events.forget(&uid);
        lock(&self.namespaces).remove(&uid);
        lock(&self.retiring).remove(&uid);
        self.pace.clear(cluster);
    }
}
