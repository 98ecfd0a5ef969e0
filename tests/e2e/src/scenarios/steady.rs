//! A settled cluster costs nothing.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::audit;
use crate::stage::Stage;

/// How long is watched: longer than every interval but the drift interval.
const WATCHED: Duration = Duration::from_secs(40);

/// A settled `ChamberCluster` causes no API writes but the lease's, and no KMS calls.
pub async fn settled_is_silent(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("settled_is_silent")?;
    let v1 = &stage.environment.releases.v1;
    stage.declare(tenant, v1).await?;
    stage.settled(tenant, v1).await?;
    let Some(log) = stage.environment.host.audit_log() else {
        println!("note: a cluster of others keeps no audit log here; writes are not counted");
        return Ok(());
    };
    let mut clusters = vec![];
    for cluster in stage
        .clusters(tenant)
        .list(&kube::api::ListParams::default())
        .await?
    {
        clusters.push(cluster.metadata.resource_version);
    }
    let arns = tenant.key_arns();
    let before = (
        audit::read(&log)?.len(),
        stage
            .environment
            .emulator()
            .audit(0)
            .await?
            .last()
            .map_or(0, |call| call.seq),
    );
    tokio::time::sleep(WATCHED).await;
    let requests = audit::read(&log)?;
    let writes: Vec<_> = requests[before.0..]
        .iter()
        .filter(|request| {
            request.user() == "system:serviceaccount:chamber-operator:chamber-operator"
        })
        .filter(|request| {
            request.namespace() == tenant.namespace
                && ["create", "update", "patch", "delete"].contains(&request.verb())
        })
        .map(audit::Entry::line)
        .collect();
    ensure!(writes.is_empty(), "writes while settled: {writes:?}");
    let calls = stage.environment.emulator().audit(before.1).await?;
    let calls: Vec<_> = calls
        .iter()
        .filter(|call| call.key.as_ref().is_some_and(|key| arns.contains(key)))
        .map(|call| &call.operation)
        .collect();
    ensure!(calls.is_empty(), "KMS calls while settled: {calls:?}");
    Ok(())
}
