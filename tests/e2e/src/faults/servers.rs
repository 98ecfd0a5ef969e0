//! API server, etcd, Prometheus, kubelet: killed and started again in the middle of a rollover.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use demo::manifests::MONITORING_NAMESPACE;
use demo::operator::available;
use demo::wait::{self, Seen};
use fault_proxy::{Intercept, Moment, Then};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{ALWAYS, FIRST, catch, soon};
use crate::run::{Failed, Run};

/// Renewals of the lease that fail while a server is away: some seconds, less than the lease.
const RENEWALS: usize = 2;
/// How long a leader may go on without its lease.
const LEASE: Duration = Duration::from_secs(30);
/// How long the node controller takes to give a silent node up.
const SILENT: Duration = Duration::from_mins(2);

/// Why a rollover stands still when a node does.
const STUCK: [&str; 3] = ["ChamberSealed", "ChamberTerminating", "NodeLost"];

/// Every write of a rollover is done once without the operator being told.
pub(super) async fn lost_answers_of_api_writes(run: &mut Run<'_>) -> Result<()> {
    lost_answers(
        run,
        &[
            ("PATCH chamberclusters/status", 0),
            ("POST replicasets", 0),
            // The first goes beside the POST, and is dropped with it.
            ("PATCH replicasets", 1),
            ("DELETE replicasets", 0),
            ("POST secrets", 0),
        ],
    )
    .await
}

/// The same for what only a first start does; keys are tagged and the seal pod is made there.
pub(super) async fn lost_answers_in_a_first_start(run: &mut Run<'_>) -> Result<()> {
    // One operator an operator: the other one stands down meanwhile.
    run.stop().await?;
    let mut first = Run::begin(run.bench, run.bench.stage.tenant(FIRST)?, run.process)?;
    let played = lost_answers(
        &mut first,
        &[
            ("TagResource", 0),
            ("PutKeyPolicy", 0),
            ("AssumeRole", 0),
            ("POST pods", 0),
            ("DELETE pods", 0),
            ("POST secrets", 0),
            ("POST replicasets", 0),
            ("PATCH services", 0),
            ("PATCH poddisruptionbudgets", 0),
        ],
    )
    .await;
    first.stop().await?;
    run.start()?;
    played
}

/// Loses one answer of each of these calls, after so many that pass.
async fn lost_answers(run: &mut Run<'_>, calls: &[(&str, usize)]) -> Result<()> {
    let proxy = &run.process.proxy;
    let set = |(call, skip): &(&str, usize)| {
        proxy.set(Intercept {
            call: (*call).into(),
            skip: *skip,
            times: 1,
            moment: Moment::After,
            then: Then::Drop,
        })
    };
    let lost: Vec<_> = calls.iter().map(set).collect();
    run.declare().await?;
    run.complete().await?;
    for ((call, _), lost) in calls.iter().zip(lost) {
        ensure!(lost.count() == 1, "no answer of {call} was lost");
    }
    proxy.release();
    Ok(())
}

/// Nobody can verify without metrics: the rollover is held by name until they are back.
pub(super) async fn prometheus_away(run: &mut Run<'_>) -> Result<()> {
    let client = run.bench.stage.environment.client.clone();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), MONITORING_NAMESPACE);
    let scale = async |replicas: u32| {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        deployments
            .patch("prometheus", &PatchParams::default(), &patch)
            .await
            .map(drop)
    };
    run.declare().await?;
    run.step("Roll").await?;
    scale(0).await?;
    let held = run.held(&["PrometheusUnavailable"]).await;
    scale(1).await?;
    held?;
    available(&client, MONITORING_NAMESPACE, "prometheus").await?;
    run.complete().await
}

/// The API server is killed for some seconds.
pub(super) async fn api_server_killed(run: &mut Run<'_>) -> Result<()> {
    away_for_renewals(run, "kube-apiserver").await
}

/// etcd is killed for some seconds: the API server is there and cannot answer.
pub(super) async fn etcd_killed(run: &mut Run<'_>) -> Result<()> {
    away_for_renewals(run, "etcd").await
}

async fn away_for_renewals(run: &mut Run<'_>, component: &'static str) -> Result<()> {
    run.declare().await?;
    run.step("Roll").await?;
    order(run, "stop", component).await?;
    let mut renewals = catch(
        &run.process.proxy,
        "GET leases",
        ALWAYS,
        Moment::Before,
        Then::Pass,
    );
    let noticed = soon(renewals.caught(RENEWALS)).await;
    order(run, "start", component).await?;
    noticed.context("the leader does not renew its lease")?;
    let failed = run.complete_interrupted().await?;
    run.process.proxy.release();
    tell(component, &failed);
    Ok(())
}

/// Without an API server the leader cannot renew its lease: it ends by itself, and the next one goes on.
pub(super) async fn api_server_away_past_the_lease(run: &mut Run<'_>) -> Result<()> {
    run.declare().await?;
    run.step("Roll").await?;
    order(run, "stop", "kube-apiserver").await?;
    let ended = run.operator()?.ended(LEASE).await;
    order(run, "start", "kube-apiserver").await?;
    ended.context("the leader went on without its lease")?;
    run.api_server_answers().await?;
    run.start()?;
    let failed = run.complete_interrupted().await?;
    tell("kube-apiserver", &failed);
    Ok(())
}

/// The node falls silent until it is given up: every chamber counts as sealed, and none is taken away.
pub(super) async fn kubelet_stopped(run: &mut Run<'_>) -> Result<()> {
    run.declare().await?;
    run.step("Roll").await?;
    order(run, "stop", "kubelet").await?;
    let held = async {
        run.held(&STUCK).await?;
        node_is_ready(run, false).await?;
        run.held(&STUCK).await
    };
    let held = held.await;
    order(run, "start", "kubelet").await?;
    held?;
    node_is_ready(run, true).await?;
    let failed = run.complete_interrupted().await?;
    tell("kubelet", &failed);
    Ok(())
}

async fn node_is_ready(run: &Run<'_>, wanted: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(run.bench.stage.environment.client.clone());
    let what = format!("the node's readiness to be {wanted}");
    wait::until(&nodes, "node-1", SILENT, &what, |node: Option<&Node>| {
        let conditions = node.and_then(|node| node.status.as_ref()?.conditions.as_ref());
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|one| one.type_ == "Ready");
        match ready {
            Some(ready) if (ready.status == "True") == wanted => Seen::Yes(()),
            other => Seen::NotYet(format!("{:?}", other.map(|ready| &ready.status))),
        }
    })
    .await
}

/// Stops or starts a component of the cluster.
async fn order(run: &Run<'_>, verb: &'static str, component: &'static str) -> Result<()> {
    let cluster = run.bench.stage.environment.host.cluster().clone();
    let carried_out = tokio::task::spawn_blocking(move || match verb {
        "stop" => cluster.stop(component),
        _ => cluster.start(component),
    });
    carried_out.await?
}

/// Not a failure of the operator: endpoints are not kept up while the control plane is away.
fn tell(component: &str, failed: &Failed) {
    if failed.count > 0 {
        println!(
            "note: {} signatures failed while {component} was away: {:?}",
            failed.count, failed.error
        );
    }
}
