//! The process: clients, election, controllers, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use attestation::Root;
use chamber_api::{ChamberCluster, names};
use futures::FutureExt;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::context::{Context, Parts};
use crate::election::Candidate;
use crate::health::Health;
use crate::hosts::Hosts;
use crate::kms::Keyring;
use crate::kubernetes;
use crate::prometheus::Prometheus;
use crate::reconcile::serve;
use crate::server;
use crate::settings::Settings;
use crate::telemetry::{self, Telemetry};

/// What is under way may take so long once the process was told to stop; kubelets wait for half a minute.
const END: Duration = Duration::from_secs(20);
/// In place of a namespace's name.
const EVERY: &str = "all namespaces";
/// What connecting to the API server may take.
const CONNECT: Duration = Duration::from_secs(15);

/// Why the process ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cluster, or it refused.
    #[error("{0}")]
    Kubernetes(#[from] kubernetes::Error),
    /// No kubeconfig and no service account.
    #[error("no cluster configuration: {0}. Run inside a pod, or set KUBECONFIG")]
    Config(Box<kube::config::InferConfigError>),
    /// A socket or a signal.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The HTTP client for Prometheus, or for hosts.
    #[error("HTTP client (CHAMBER_PROMETHEUS_PROXY): {0}")]
    Http(#[from] reqwest::Error),
    /// Another replica took over; the process ends so that nothing of it goes on.
    #[error("the lease was lost")]
    LeaseLost,
}

/// Runs on threads of its own; the rest is as in [`run`].
pub fn until_the_end(settings: Settings, root: Root) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(run(settings, root))
}

/// Runs until told to stop, or until the lease is lost.
///
/// `root` is what attestation documents have to lead to. It is no setting: what the production binary trusts is built in.
pub async fn run(settings: Settings, root: Root) -> Result<(), Error> {
    telemetry::log(&settings);
    // The first provider wins for the whole process; a second one in the tree would panic later.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let mut config = kube::Config::infer()
        .await
        .map_err(|error| Error::Config(Box::new(error)))?;
    // A watch has nothing to say for minutes; what has a deadline is a call, as a whole.
    config.read_timeout = None;
    config.connect_timeout = Some(CONNECT);
    let telemetry = Arc::new(Telemetry::default());
    let bare = Client::try_from(config).map_err(kubernetes::Error::from)?;
    let watching = kubernetes::counted(&bare, &telemetry.calls());
    let client = kubernetes::calling(&watching);
    let health = Arc::new(Health::default());
    let (stop, stopped) = stop_on_signal()?;
    let serving = tokio::spawn(server::serve(
        settings.listen,
        telemetry.clone(),
        health.clone(),
        until(stopped.clone()),
    ));

    let cluster_uid = cluster_uid(&client).await?;
    let mut candidate = Candidate::new(
        client.clone(),
        &settings.lease_namespace,
        &settings.lease_name,
        &settings.identity,
        health.clone(),
    );
    tokio::select! {
        () = candidate.acquire() => {}
        () = until(stopped.clone()) => return Ok(()),
    }
    tracing::info!(identity = %settings.identity, "leading");
    telemetry.leading(true);
    let work = work(
        &settings,
        root,
        Clients { watching, client },
        Watched { telemetry, health },
        candidate.lease(),
        cluster_uid,
        stopped.clone(),
    );
    let led = tokio::select! {
        worked = work => worked,
        () = candidate.keep() => Err(Error::LeaseLost),
    };
    stop.send_replace(true);
    candidate.resign().await;
    if let Ok(served) = serving.await {
        served?;
    }
    led
}

/// uid of namespace kube-system: the customary name of a Kubernetes cluster.
async fn cluster_uid(client: &Client) -> Result<String, Error> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let system = namespaces
        .get("kube-system")
        .await
        .map_err(kubernetes::Error::from)?;
    Ok(system.uid().unwrap_or_default())
}

/// The ways to the API server.
struct Clients {
    /// For watches, which do not end.
    watching: Client,
    /// For calls, which have a deadline.
    client: Client,
}

/// What tells people and kubelets how the process is.
struct Watched {
    telemetry: Arc<Telemetry>,
    health: Arc<Health>,
}

/// One controller for each watched namespace, or one for all of them.
async fn work(
    settings: &Settings,
    root: Root,
    clients: Clients,
    Watched { telemetry, health }: Watched,
    lease: crate::election::Lease,
    cluster_uid: String,
    stopped: watch::Receiver<bool>,
) -> Result<(), Error> {
    let namespaces: Vec<Option<&str>> = match settings.watch_namespaces.as_slice() {
        [] => vec![None],
        some => some
            .iter()
            .map(|namespace| Some(namespace.as_str()))
            .collect(),
    };
    let controllers: Vec<_> = namespaces
        .iter()
        .map(|namespace| watch_namespace(&clients.watching, *namespace))
        .collect();
    let stores: Vec<_> = controllers.iter().map(Controller::store).collect();
    telemetry.watch(stores.clone());
    let listed = report_listed(&health, &namespaces, stores.clone());
    let ctx = Arc::new(Context::new(Parts {
        clock: Clock::of_the_node(),
        client: clients.client,
        settings: settings.clone(),
        keyring: Keyring::from_environment(telemetry.calls()).await,
        prometheus: Prometheus::new(
            settings.prometheus_servers.clone(),
            settings.prometheus_proxy.clone(),
        )?,
        hosts: Hosts::new()?,
        root,
        telemetry,
        lease,
        clusters: stores,
        cluster_uid,
    }));
    let runs = controllers
        .into_iter()
        .map(|controller| serve(controller, ctx.clone(), until(stopped.clone())));
    in_time(futures::future::join(join_all(runs), listed), stopped).await;
    Ok(())
}

/// Tells at once which namespaces' resources are needed, and then which of them have been listed.
fn report_listed<'a>(
    health: &'a Health,
    namespaces: &'a [Option<&'a str>],
    stores: Vec<Store<ChamberCluster>>,
) -> impl Future<Output = ()> + 'a {
    let names = namespaces.iter().map(|name| name.unwrap_or(EVERY));
    health.watches(names.clone().map(str::to_owned));
    let each = names.zip(stores).map(async |(name, store)| {
        if store.wait_until_ready().await.is_ok() {
            health.has_seen(name);
        }
    });
    join_all(each).map(drop)
}

/// Waits for what ends by itself once the process was told to stop, and not much longer: a controller whose resources
/// were never listed does not end, and the lease has to be given up.
async fn in_time(ends: impl Future, stopped: watch::Receiver<bool>) {
    let late = async {
        until(stopped).await;
        tokio::time::sleep(END).await;
    };
    tokio::select! {
        _ = ends => {}
        () = late => tracing::warn!("not everything that was under way has ended in time"),
    }
}

/// Woken by the resource, by its `ReplicaSets` and its disruption budget, and by every pod that carries its label.
pub fn watch_namespace(client: &Client, namespace: Option<&str>) -> Controller<ChamberCluster> {
    fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        }
    }
    let ours = watcher::Config::default().labels(names::CLUSTER_LABEL);
    Controller::new(api(client, namespace), watcher::Config::default())
        .owns(api::<ReplicaSet>(client, namespace), ours.clone())
        .owns(api::<PodDisruptionBudget>(client, namespace), ours.clone())
        .watches(api::<Pod>(client, namespace), ours, |pod| {
            let name = pod.labels().get(names::CLUSTER_LABEL).cloned();
            name.map(|name| ObjectRef::new(&name).within(&pod.namespace().unwrap_or_default()))
        })
}

/// A flag that SIGTERM and SIGINT set.
fn stop_on_signal() -> Result<(watch::Sender<bool>, watch::Receiver<bool>), Error> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = sender.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        told.send_replace(true);
    });
    Ok((sender, receiver))
}

/// Resolves when the flag is set.
async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    drop(stopped.wait_for(|stop| *stop).await);
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_keeps_no_process_that_was_told_to_stop() {
        let (stop, stopped) = watch::channel(false);
        let mut work = Box::pin(in_time(std::future::pending::<()>(), stopped));
        let long = Duration::from_hours(1);
        assert!(timeout(long, &mut work).await.is_err(), "nobody told it to");
        stop.send_replace(true);
        let told = Instant::now();
        work.await;
        assert_eq!(told.elapsed().as_secs(), END.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_is_waited_for() {
        let (_stop, stopped) = watch::channel(true);
        let began = Instant::now();
        in_time(tokio::time::sleep(END / 2), stopped).await;
        assert_eq!(began.elapsed(), END / 2);
    }
}
