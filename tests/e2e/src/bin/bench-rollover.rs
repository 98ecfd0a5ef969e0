//! Time and cost of a rollover, against a bare Deployment of the same pods in the same cluster and run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use demo::chambers::{Shape, chamber_cluster};
use demo::manifests::OPERATOR;
use demo::wait::{self, Seen};
use demo::{Release, Tenant, kubernetes};
use e2e::measure::{OrderAges, Process, kms_calls};
use e2e::scenarios::Scenario;
use e2e::stage::{ROLLOVER, Stage};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const SETTLE: Duration = Duration::from_secs(5);
const SOAK: Duration = Duration::from_secs(10);
/// Rollovers and Deployment rolls, in turn.
const ROUNDS: u32 = 3;

const BENCH: Scenario = Scenario {
    name: "bench",
    alone: true,
    play: |stage| Box::pin(bench(stage)),
};

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let stage = Box::pin(Stage::set(&[BENCH.name])).await?;
    (BENCH.play)(&stage).await?;
    stage.tear_down().await
}

async fn bench(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("bench")?;
    let (v1, v2) = (
        &stage.environment.releases.v1,
        &stage.environment.releases.v2,
    );
    roll(stage, tenant, v1).await?;
    let operator = Process::find("/dev-operator")?;

    let (mut rollovers, mut deployments) = (Vec::new(), Vec::new());
    let cpu = operator.cpu()?;
    let first = stage
        .environment
        .emulator()
        .audit(0)
        .await?
        .last()
        .map_or(0, |call| call.seq);
    for round in 0..ROUNDS {
        let target = if round % 2 == 0 { v2 } else { v1 };
        let took = roll(stage, tenant, target).await?;
        rollovers.push(took.saturating_sub(SETTLE + SOAK));
        println!(
            "rollover {}: {:.1} s, {:.1} s without settle and soak",
            round + 1,
            took.as_secs_f64(),
            rollovers[round as usize].as_secs_f64()
        );
    }
    let cpu = operator.cpu()?.saturating_sub(cpu);
    let calls = stage.environment.emulator().audit(first).await?;
    for round in 0..ROUNDS {
        deployments.push(deploy(stage, tenant, round).await?);
        println!(
            "Deployment {}: {:.1} s",
            round + 1,
            deployments[round as usize].as_secs_f64()
        );
    }

    let (ours, bare) = (median(&mut rollovers), median(&mut deployments));
    println!(
        "\nmedian of {ROUNDS}: rollover {:.1} s, Deployment {:.1} s, ratio {:.2} (at most 1.25)",
        ours,
        bare,
        ours / bare
    );
    println!(
        "operator: peak memory {:.1} MiB (goal 32), CPU {:.2} s a rollover",
        operator.peak_mib()?,
        cpu.as_secs_f64() / f64::from(ROUNDS)
    );
    let ages = OrderAges::read(&stage.environment.client, OPERATOR).await?;
    println!(
        "orders that rest on a look at the chambers: {}, from the look to the answer {:.0} ms in the mean, 99 of 100 within {:.2} s",
        ages.count,
        ages.seconds / ages.count * 1000.0,
        ages.within(99.0)
    );
    println!("KMS calls of the operator, per key and rollover:");
    for (operation, count) in kms_calls(&calls, &tenant.key_arns()) {
        let keys = f64::from(u32::try_from(tenant.keys.len())?);
        println!(
            "  {operation} {:.1}",
            f64::from(count) / keys / f64::from(ROUNDS)
        );
    }
    ensure!(
        ours <= bare * 1.25,
        "a rollover takes more than 1.25 times what a Deployment takes"
    );
    ensure!(
        operator.peak_mib()? < 32.0,
        "the operator took 32 MiB or more"
    );
    Ok(())
}

/// From the change of the spec to the end of the rollover.
async fn roll(stage: &Stage, tenant: &Tenant, release: &Release) -> Result<Duration> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let shape = Shape {
        settle_time: seconds(SETTLE),
        soak_time: seconds(SOAK),
        ..Shape::default()
    };
    let started = Instant::now();
    let object = chamber_cluster(tenant, release, &shape);
    kubernetes::apply(&stage.environment.client, &object).await?;
    stage.settled(tenant, release).await?;
    Ok(started.elapsed())
}

/// From a change of the template to the last new pod's readiness, with maxUnavailable 1 and maxSurge 0.
async fn deploy(stage: &Stage, tenant: &Tenant, round: u32) -> Result<Duration> {
    let client = &stage.environment.client;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &tenant.namespace);
    if round == 0 {
        kubernetes::apply(client, &deployment(client, tenant).await?).await?;
        rolled(&deployments).await?;
    }
    let started = Instant::now();
    let annotation =
        json!({"spec": {"template": {"metadata": {"annotations": {"round": round.to_string()}}}}});
    deployments
        .patch("bare", &PatchParams::default(), &Patch::Merge(annotation))
        .await?;
    rolled(&deployments).await?;
    Ok(started.elapsed())
}

/// A Deployment of the very pods that the tenant's `ReplicaSet` runs.
async fn deployment(client: &kube::Client, tenant: &Tenant) -> Result<Value> {
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), &tenant.namespace);
    let set = sets.list(&kube::api::ListParams::default()).await?;
    let set = set.items.into_iter().next().context("no ReplicaSet")?;
    let spec = set
        .spec
        .and_then(|spec| spec.template)
        .and_then(|template| template.spec)
        .context("no template")?;
    let labels = json!({"app": "bare"});
    Ok(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "bare", "namespace": tenant.namespace},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        }
    }))
}

async fn rolled(deployments: &Api<Deployment>) -> Result<()> {
    let seen = |deployment: Option<&Deployment>| {
        let generation = deployment.and_then(|deployment| deployment.metadata.generation);
        let Some(status) = deployment.and_then(|deployment| deployment.status.as_ref()) else {
            return Seen::NotYet("no status".into());
        };
        let all = [
            status.replicas,
            status.updated_replicas,
            status.available_replicas,
        ];
        if status.observed_generation >= generation && all == [Some(3); 3] {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{all:?}"))
        }
    };
    wait::until(
        deployments,
        "bare",
        ROLLOVER,
        "the Deployment to be rolled",
        seen,
    )
    .await
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times
        .get(times.len() / 2)
        .map_or(0.0, Duration::as_secs_f64)
}
