//! Status: written on every way out, only where it changed.

mod conditions;
mod entries;
mod plan;

use chamber_api::{ChamberCluster, ChamberClusterStatus, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use rollover::{AdmittedSet, Obstacle, Plan, Reason, Step, World};
use serde_json::json;

use crate::context::Context;
use crate::kubernetes::Error;
use chamber_resource::persisted_state;
use chamber_resource::release;
use conditions::Stop;

/// What is said of the moment.
struct Said<'a> {
    step: Step,
    reason: Option<Reason>,
    message: Option<&'a str>,
}

/// Reports a plan that is no action.
pub async fn plan(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    plan: &Plan,
) -> Result<(), Error> {
    let message = plan.obstacle().map(ToString::to_string);
    let said = Said {
        step: match plan {
            Plan::Wait { step, .. } | Plan::Block { step, .. } => *step,
            Plan::Settled { .. } | Plan::Look(_) | Plan::Act { .. } => Step::Settled,
        },
        reason: plan.obstacle().map(Obstacle::reason),
        message: message.as_deref(),
    };
    let status = cluster.status.clone().unwrap_or_default();
    write(ctx, cluster, observed(ctx, cluster, world, &said, status)).await?;
    tell(ctx, cluster, &said).await;
    Ok(())
}

/// Reports an action that was done, with the facts that it left.
pub async fn acting(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    step: Step,
    status: ChamberClusterStatus,
) -> Result<(), Error> {
    // What an action ends or begins shows at once, so that the next turn finds nothing to add.
    let step = match status.rollover {
        None => Step::Settled,
        Some(_) => step,
    };
    let said = Said {
        step,
        reason: None,
        message: None,
    };
    write(ctx, cluster, observed(ctx, cluster, world, &said, status)).await?;
    tell(ctx, cluster, &said).await;
    Ok(())
}

/// Reports an action that failed, with the facts that the part that was done left.
pub async fn failure(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    world: &World,
    step: Step,
    status: ChamberClusterStatus,
    (reason, message): (Reason, &str),
) -> Result<(), Error> {
    let said = Said {
        step,
        reason: Some(reason),
        message: Some(message),
    };
    write(ctx, cluster, observed(ctx, cluster, world, &said, status)).await?;
    tell(ctx, cluster, &said).await;
    Ok(())
}

/// Reports why nothing was looked at; what was seen before stands.
pub async fn unseen(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    step: Step,
    reason: Reason,
    message: &str,
) -> Result<(), Error> {
    let mut status = cluster.status.clone().unwrap_or_default();
    status.observed_generation = cluster.metadata.generation;
    status.step = Some(step.to_string());
    status.reason = Some(reason.to_string());
    status.message = Some(message.to_owned());
    status.plan = None;
    let generation = cluster.metadata.generation;
    let why = stop(ctx, cluster, reason);
    conditions::unseen(&mut status, generation, ctx.clock.now(), why, message);
    write(ctx, cluster, status).await?;
    let said = Said {
        step,
        reason: Some(reason),
        message: Some(message),
    };
    tell(ctx, cluster, &said).await;
    Ok(())
}

/// Why it stops, and whether that has lasted: before this process, too, where status says so.
fn stop(ctx: &Context, cluster: &ChamberCluster, reason: Reason) -> Stop {
    let lasts = ctx.events.lasts(cluster, reason) || conditions::stalled_for(cluster, reason);
    Stop { reason, lasts }
}

/// Writes facts that an action left; what was seen before stands.
pub async fn facts(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    status: ChamberClusterStatus,
) -> Result<(), Error> {
    write(ctx, cluster, status).await
}

/// An Event on what is waited for. A leader that slept past its lease says nothing any more.
async fn tell(ctx: &Context, cluster: &ChamberCluster, said: &Said<'_>) {
    let Some(reason) = said.reason else {
        return ctx.events.moved(cluster);
    };
    if ctx.lease.is_held() {
        let note = said.message.unwrap_or_default();
        ctx.events.stands(cluster, said.step, reason, note).await;
    }
}

/// The whole status, from what was observed and what is said of it.
fn observed(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    said: &Said<'_>,
    mut status: ChamberClusterStatus,
) -> ChamberClusterStatus {
    let before = cluster.status.clone().unwrap_or_default();
    status.observed_generation = cluster.metadata.generation;
    status.step = Some(said.step.to_string());
    status.reason = said.reason.map(|reason| reason.to_string());
    status.message = said.message.map(str::to_owned);
    status.release = Some(entries::releases(&status, world));
    status.external_id = Some(world.spec.owner.external_id());
    status.manifest = entries::manifest(cluster);
    status.chambers = entries::chambers(world, &before.chambers);
    entries::replicas(&mut status, cluster, world);
    status.chambers_ready = Some(format!("{}/{}", world.unsealed(), world.spec.replicas));
    let live = AdmittedSet::recorded(world, &persisted_state::read(&status));
    let retiring = status
        .rollover
        .as_ref()
        .is_some_and(|r| r.retire_begun_at.is_some());
    status.keys = entries::keys(world, &live, retiring, &before.keys);
    status
        .key_writes
        .retain(|write| world.share(&write.arn).is_some());
    status.plan = plan::of(world);
    let in_sync = status.keys.iter().filter(|key| key.in_sync).count();
    status.keys_in_sync = Some(format!("{in_sync}/{}", world.spec.shares.len()));
    conditions::set_all(
        &mut status,
        cluster.metadata.generation,
        world,
        said.reason.map(|reason| stop(ctx, cluster, reason)),
        said.message,
    );
    status
}

/// Server-side apply with one field manager; the resource version makes a raced write a conflict.
async fn write(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    status: ChamberClusterStatus,
) -> Result<(), Error> {
    if cluster.status.as_ref() == Some(&status) {
        return Ok(());
    }
    tracing::info!(
        cluster = %cluster.name_any(),
        step = status.step.as_deref(),
        reason = status.reason.as_deref(),
        message = status.message.as_deref(),
        chambers = status.chambers_ready.as_deref(),
        keys = status.keys_in_sync.as_deref(),
        "status"
    );
    let api = Api::<ChamberCluster>::namespaced(
        ctx.client.clone(),
        &cluster.namespace().unwrap_or_default(),
    );
    let body = json!({
        "apiVersion": ChamberCluster::api_version(&()),
        "kind": ChamberCluster::kind(&()),
        "metadata": {"name": cluster.name_any(), "resourceVersion": cluster.resource_version()},
        "status": status,
    });
    let params = PatchParams::apply(names::MANAGER).force();
    *cluster = api
        .patch_status(&cluster.name_any(), &params, &Patch::Apply(&body))
        .await?;
    Ok(())
}

/// Ten characters of a measurement, as people compare them.
fn short(image: &str) -> String {
    image.chars().take(10).collect()
}

/// Seconds are enough for people, and what is stored reads back equal.
fn time(at: jiff::Timestamp) -> Time {
    Time(jiff::Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// The release that a status entry names, if it can be read.
fn readable(status: Option<&chamber_api::ReleaseStatus>) -> Option<rollover::Release> {
    status.and_then(release::of_status)
}
