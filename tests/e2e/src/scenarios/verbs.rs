//! Failures, and what a person can ask for: rollback, retry, abort, revoke, delete.

use anyhow::{Result, ensure};
use chamber_api::{ChamberClusterStatus, Outcome};
use demo::{Release, Tenant, load, wait};
use kube::api::DeleteParams;
use serde_json::json;

use crate::programs::{Watch, chamber};
use crate::stage::{self, SOON, Stage};

/// Declares v2 while no key lets it decrypt, and waits until its first chamber stays sealed.
async fn hold_up(stage: &Stage, tenant: &Tenant, v2: &Release) -> Result<()> {
    let knobs = json!({"decryptPolicyHold": true});
    stage.environment.emulator().set_knobs(&knobs).await?;
    stage.declare(tenant, v2).await?;
    let sealed = |status: &ChamberClusterStatus| {
        status.reason.as_deref() == Some("ChamberSealed")
            && status.chambers_ready.as_deref() == Some("2/3")
    };
    stage
        .until(tenant, SOON, "a sealed chamber of v2", sealed)
        .await
        .map(drop)
}

async fn lift(stage: &Stage) -> Result<()> {
    stage.environment.emulator().set_knobs(&json!({})).await
}

fn outcome(status: &ChamberClusterStatus, outcome: Outcome) -> Result<()> {
    let told = status
        .history
        .iter()
        .any(|ended| ended.outcome == outcome.to_string());
    ensure!(
        told,
        "{outcome:?} is not in the history: {:?}",
        status.history
    );
    Ok(())
}

async fn served(stage: &Stage, tenant: &Tenant) -> Result<()> {
    let counted = load::stats(&stage.environment.client, tenant).await?;
    ensure!(
        counted.failed == 0 && counted.public_keys.len() == 1,
        "{} of {} requests failed ({:?}), public keys {:?}",
        counted.failed,
        counted.sent,
        counted.last_error,
        counted.public_keys
    );
    Ok(())
}

/// A release that never unseals is rolled back by itself and not tried again, until somebody says retry.
pub async fn broken_release_is_rolled_back(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("broken_release_is_rolled_back")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    load::start(&stage.environment.client, tenant, v1).await?;
    stage
        .change(tenant, json!({"rollover": {"progressDeadline": "5s"}}))
        .await?;
    let held = hold_up(stage, tenant, v2).await;
    let failed = match held {
        Ok(()) => {
            stage
                .blocked(tenant, "ReleaseFailed", &["ChamberSealed", "retry"])
                .await
        }
        Err(error) => Err(error),
    };
    lift(stage).await?;
    let status = failed?;
    outcome(&status, Outcome::Failed)?;
    stage::only(&status, v1)?;
    served(stage, tenant).await?;
    chamber(stage, tenant, 0, &["retry"]).await?;
    let status = stage.settled(tenant, v2).await?;
    stage::only(&status, v2)?;
    served(stage, tenant).await
}

/// Abort leads back; what was aborted can be revoked, and is then refused for good.
pub async fn aborted_and_revoked(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("aborted_and_revoked")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    let aborted = async {
        hold_up(stage, tenant, v2).await?;
        let told = chamber(stage, tenant, 0, &["status"]).await?;
        ensure!(
            told.contains("Admit done > [Roll]") && told.contains("ChamberSealed"),
            "{told}"
        );
        chamber(stage, tenant, 0, &["abort"]).await?;
        stage.blocked(tenant, "ReleaseFailed", &["aborted"]).await
    }
    .await;
    lift(stage).await?;
    let status = aborted?;
    outcome(&status, Outcome::Aborted)?;
    stage::only(&status, v1)?;

    let reason = "its build host was broken into";
    let revoke = ["revoke", "--reason", reason, "--image", v2.image_sha384()];
    let told = chamber(stage, tenant, 0, &revoke).await?;
    ensure!(told.contains(reason), "{told}");
    chamber(stage, tenant, 0, &["retry"]).await?;
    let status = stage
        .blocked(tenant, "MeasurementRevoked", &["imageSha384"])
        .await?;
    ensure!(
        status.revoked == [v2.image_sha384()],
        "{:?}",
        status.revoked
    );
    stage.settle(tenant, v1).await.map(drop)
}

/// What chambers run is revoked: no policy admits it any more, and the status says who is hurt.
pub async fn what_runs_is_revoked(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("what_runs_is_revoked")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    let revoke = format!("{} its signing key leaked", v1.image_sha384());
    stage
        .annotate(tenant, json!({"chamber.dev/revoke": revoke}))
        .await?;
    let status = stage
        .blocked(tenant, "MeasurementRevoked", &["restart"])
        .await?;
    let admitted = status.keys.iter().any(|key| !key.admitted.is_empty());
    ensure!(!admitted, "a key still admits it: {:?}", status.keys);
    let told = chamber(stage, tenant, 1, &["status"]).await?;
    ensure!(told.contains("MeasurementRevoked"), "{told}");
    let refused = chamber(stage, tenant, 1, &["abort"]).await?;
    ensure!(refused.contains("no rollover is in flight"), "{refused}");
    chamber(stage, tenant, 0, &["pause"]).await?;
    stage.declare(tenant, v2).await?;
    let paused = |status: &ChamberClusterStatus| status.reason.as_deref() == Some("Paused");
    stage.until(tenant, SOON, "the pause", paused).await?;
    let watch = Watch::begin(stage, tenant)?;
    chamber(stage, tenant, 0, &["resume"]).await?;
    let status = stage.settled(tenant, v2).await?;
    let followed = watch.end().await?;
    ensure!(
        followed.contains("> [Roll] >") && followed.matches(&tenant.name).count() > 2,
        "it followed no rollover: {followed}"
    );
    stage::only(&status, v2)
}

/// Deleted in the middle of Roll: the policies are left with one measurement. Created again, the same master key.
pub async fn deleted_in_the_middle(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("deleted_in_the_middle")?;
    let (v1, v2) = stage.releases();
    let before = stage.settle(tenant, v1).await?;
    let deleted = async {
        hold_up(stage, tenant, v2).await?;
        let clusters = stage.clusters(tenant);
        clusters
            .delete(&tenant.name, &DeleteParams::default())
            .await?;
        let gone = |found: Option<&chamber_api::ChamberCluster>| match found {
            None => wait::Seen::Yes(()),
            Some(found) => wait::Seen::NotYet(format!("{:?}", found.status)),
        };
        wait::until(
            &clusters,
            &tenant.name,
            SOON,
            "the resource to be gone",
            gone,
        )
        .await
    }
    .await;
    lift(stage).await?;
    deleted?;
    for arn in tenant.key_arns() {
        let id = arn.rsplit('/').next().unwrap_or_default();
        let policy = stage.environment.emulator().policy(id).await?;
        ensure!(
            policy.contains(v1.image_sha384()) && !policy.contains(v2.image_sha384()),
            "{arn} does not admit v1 alone"
        );
    }
    let after = stage.settle(tenant, v1).await?;
    ensure!(
        after.commitment == before.commitment,
        "another master key was sealed"
    );
    Ok(())
}
