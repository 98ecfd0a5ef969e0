//! A settled cluster costs nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use demo::Tenant;
use demo::emulator::AuditEntry;
use kube::ResourceExt;

use crate::audit::{self, Entry};
use crate::stage::Stage;

/// How long is watched: longer than every interval but the drift interval.
const WATCHED: Duration = Duration::from_secs(40);

/// A settled `ChamberCluster` causes no API writes but the lease's, and no KMS calls.
///
/// What finds none of them while it is settled has to find those that settled it.
pub async fn settled_is_silent(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("settled_is_silent")?;
    let v1 = &stage.environment.releases.v1;
    stage.declare(tenant, v1).await?;
    stage.settled(tenant, v1).await?;
    let log = stage.environment.host.audit_log();
    let read = |log: Option<&Path>| log.map(audit::read).transpose();

    let requests = read(log.as_deref())?;
    if let Some(requests) = &requests {
        let before = writes(requests, tenant);
        ensure!(!before.is_empty(), "no write settled it: who writes here?");
    } else {
        println!("note: a cluster of others keeps no audit log here; the object's version counts");
    }
    let counted = requests.map_or(0, |requests| requests.len());
    let calls = stage.environment.emulator().audit(0).await?;
    ensure!(
        !operations(&calls, tenant).is_empty(),
        "no KMS call settled it"
    );
    let last = calls.last().map_or(0, |call| call.seq);
    let version = version(stage, tenant).await?;

    tokio::time::sleep(WATCHED).await;
    let requests = read(log.as_deref())?.unwrap_or_default();
    let found = writes(&requests[counted..], tenant);
    ensure!(found.is_empty(), "writes while settled: {found:?}");
    let calls = stage.environment.emulator().audit(last).await?;
    let found = operations(&calls, tenant);
    ensure!(found.is_empty(), "KMS calls while settled: {found:?}");
    let after = self::version(stage, tenant).await?;
    ensure!(
        after == version,
        "the ChamberCluster went from version {version:?} to {after:?} while settled"
    );
    Ok(())
}

/// The operator's writes in the tenant's namespace.
fn writes(requests: &[Entry], tenant: &Tenant) -> Vec<String> {
    let operator = "system:serviceaccount:chamber-operator:chamber-operator";
    let writes = requests.iter().filter(|request| {
        request.user() == operator
            && request.namespace() == tenant.namespace
            && ["create", "update", "patch", "delete"].contains(&request.verb())
    });
    writes.map(Entry::line).collect()
}

/// The calls to KMS about the tenant's keys.
fn operations<'a>(calls: &'a [AuditEntry], tenant: &Tenant) -> Vec<&'a str> {
    let arns = tenant.key_arns();
    let ours = |call: &&AuditEntry| call.key.as_ref().is_some_and(|key| arns.contains(key));
    let ours = calls.iter().filter(ours);
    ours.map(|call| call.operation.as_str()).collect()
}

async fn version(stage: &Stage, tenant: &Tenant) -> Result<Option<String>> {
    let cluster = stage.clusters(tenant).get(&tenant.name).await?;
    Ok(cluster.resource_version())
}
