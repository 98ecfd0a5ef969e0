//! Rollovers that go well, that are held up, and that are disturbed.

use anyhow::{Context, Result, bail, ensure};
use demo::{Release, Tenant, load};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::audit;
use crate::stage::{self, ROLLOVER, SOON, Stage};

/// v1, then v2, while a client signs: no request fails, and the logs show the order that the laws ask for.
pub async fn five_steps(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("five_steps")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    load::start(&stage.environment.client, tenant, v1).await?;
    let status = stage.settle(tenant, v2).await?;

    let counted = load::stats(&stage.environment.client, tenant).await?;
    ensure!(
        counted.failed == 0,
        "{} of {} requests failed: {:?}",
        counted.failed,
        counted.sent,
        counted.last_error
    );
    ensure!(
        counted.sent > 40,
        "only {} requests were sent",
        counted.sent
    );
    ensure!(
        counted.public_keys.len() == 1,
        "the public key changed: {:?}",
        counted.public_keys
    );
    let history = &status.history;
    ensure!(
        history.len() == 2,
        "{} rollovers in the history",
        history.len()
    );
    stage::only(&status, v2)?;
    order(stage, tenant, v1, v2).await
}

/// Admit on all keys before the first pod with v2; Retire after the last pod with v1 is gone.
async fn order(stage: &Stage, tenant: &Tenant, v1: &Release, v2: &Release) -> Result<()> {
    let Some(log) = stage.environment.host.audit_log() else {
        println!("note: a cluster of others keeps no audit log here; the order is not checked");
        return Ok(());
    };
    let requests = audit::read(&log)?;
    let ours: Vec<_> = requests
        .iter()
        .filter(|request| request.namespace() == tenant.namespace && request.done())
        .collect();
    let measured = |release: &Release| release.parsed().map(|measurement| measurement.id());
    let (old, new) = (measured(v1)?, measured(v2)?);
    let first_new = ours
        .iter()
        .filter(|request| {
            request.verb() == "create"
                && request.resource() == "pods"
                && request.label("chamber.dev/measurement") == Some(&new)
        })
        .filter_map(|request| request.at())
        .min()
        .context("no pod with v2 was created")?;
    let last_old = ours
        .iter()
        .filter(|request| {
            request.verb() == "delete"
                && request.resource() == "pods"
                && request.label("chamber.dev/measurement") == Some(&old)
        })
        .filter_map(|request| request.at())
        .max()
        .context("no pod with v1 was deleted")?;

    let calls = stage.environment.emulator().audit(0).await?;
    for arn in tenant.key_arns() {
        let writes = audit::policy_writes(&calls, &arn);
        let admit = writes
            .iter()
            .find(|(_, admitted)| admitted.iter().any(|image| image == v2.image_sha384()));
        let retire = writes
            .iter()
            .rfind(|(_, admitted)| !admitted.iter().any(|image| image == v1.image_sha384()));
        let (admitted_at, admitted) = admit.context("v2 was never admitted")?;
        let (retired_at, left) = retire.context("v1 was never retired")?;
        ensure!(admitted.len() == 2, "Admit wrote {admitted:?}");
        ensure!(
            left == &[v2.image_sha384().to_owned()],
            "Retire left {left:?}"
        );
        ensure!(
            *admitted_at < first_new,
            "{arn}: admitted at {admitted_at}, the first pod with v2 came at {first_new}"
        );
        ensure!(
            *retired_at > last_old,
            "{arn}: retired at {retired_at}, the last pod with v1 went at {last_old}"
        );
        ensure!(
            writes.len() == 3,
            "{arn} was written {} times: first start, Admit, Retire",
            writes.len()
        );
    }
    Ok(())
}

/// Decrypt enforces the old policies while GetKeyPolicy shows the new ones: one chamber is touched, the others serve,
/// an old one that is deleted comes back old; and it goes on by itself.
pub async fn decrypt_lags_behind(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("decrypt_lags_behind")?;
    let (v1, v2) = stage.releases();
    let emulator = stage.environment.emulator();
    stage.settle(tenant, v1).await?;
    load::start(&stage.environment.client, tenant, v1).await?;

    emulator
        .set_knobs(&json!({"decryptPolicyHold": true}))
        .await?;
    let held = held_up(stage, tenant, v1, v2).await;
    emulator.set_knobs(&json!({})).await?;
    held?;
    stage.settled(tenant, v2).await?;
    let counted = load::stats(&stage.environment.client, tenant).await?;
    ensure!(
        counted.public_keys.len() == 1,
        "the public key changed: {:?}",
        counted.public_keys
    );
    ensure!(
        counted.failed == 0,
        "{} of {} requests failed: {:?}",
        counted.failed,
        counted.sent,
        counted.last_error
    );
    Ok(())
}

async fn held_up(stage: &Stage, tenant: &Tenant, v1: &Release, v2: &Release) -> Result<()> {
    stage.declare(tenant, v2).await?;
    let rejected = |status: &chamber_api::ChamberClusterStatus| {
        status.step.as_deref() == Some("Roll")
            && status.reason.as_deref() == Some("ChamberSealed")
            && status.chambers_ready.as_deref() == Some("2/3")
    };
    stage
        .until(tenant, SOON, "Roll to wait for a sealed chamber", rejected)
        .await?;
    await_rejections(stage, v2).await?;
    let count = |pods: &[Pod], release: &Release| -> Result<usize> {
        let id = release.parsed()?.id();
        let runs = |pod: &&Pod| {
            pod.metadata.deletion_timestamp.is_none()
                && pod.labels().get("chamber.dev/measurement") == Some(&id)
        };
        Ok(pods.iter().filter(runs).count())
    };
    let pods = stage.pods(tenant).await?;
    ensure!(count(&pods, v2)? == 1, "more than one chamber was touched");
    ensure!(count(&pods, v1)? == 2, "the others are not there");

    let id = v1.parsed()?.id();
    let victim = pods
        .iter()
        .find(|pod| {
            pod.metadata.deletion_timestamp.is_none()
                && pod.labels().get("chamber.dev/measurement") == Some(&id)
        })
        .context("no old chamber")?
        .name_any();
    let api: Api<Pod> = Api::namespaced(stage.environment.client.clone(), &tenant.namespace);
    api.delete(&victim, &DeleteParams::default()).await?;
    stage
        .until(
            tenant,
            SOON,
            "the deleted old chamber to come back old and unseal",
            |status| {
                let gone = !status.chambers.iter().any(|chamber| chamber.pod == victim);
                gone && status.chambers_ready.as_deref() == Some("2/3")
            },
        )
        .await?;
    let pods = stage.pods(tenant).await?;
    ensure!(
        count(&pods, v1)? == 2 && count(&pods, v2)? == 1,
        "the chamber did not come back old"
    );
    Ok(())
}

/// KMS has refused the new release's attestation: the chamber did try.
async fn await_rejections(stage: &Stage, v2: &Release) -> Result<()> {
    let asked = async {
        loop {
            let calls = stage.environment.emulator().audit(0).await?;
            let refused = calls.iter().any(|call| {
                call.operation == "Decrypt"
                    && call.outcome == "AccessDeniedException"
                    && call.measurement.as_deref() == Some(v2.image_sha384())
            });
            if refused {
                return anyhow::Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(SOON, asked)
        .await
        .context("no attestation of v2 was refused")?
}

/// The image unseals in its own way: no blob, no seal, the same five steps.
pub async fn external_sealing(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("external_sealing")?;
    let v1 = &stage.environment.releases.v1;
    let mut object = stage.object(tenant, v1);
    object["spec"]["sealing"] = json!("External");
    // Their own way of handing the blob over is not ours to test: any metrics, readiness and measurement will do.
    let enclave = &mut object["spec"]["chambers"]["template"]["spec"]["containers"][0];
    enclave["readinessProbe"] =
        json!({"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 1});
    let own = json!({"name": "TEE_AUTO_UNSEAL_BLOB", "value": "b3du"});
    enclave["env"].as_array_mut().context("env")?.push(own);
    object["spec"]["verification"]["queries"] = json!({
        "unsealed": r#"up{namespace="$namespace",pod=~"$pods"}"#,
        "rejected": r#"max_over_time(kms_attestation_rejected{namespace="$namespace",pod=~"$pods"}[$window]) * 0"#,
    });
    demo::kubernetes::apply(&stage.environment.client, &object).await?;
    let status = stage.settled(tenant, v1).await?;
    ensure!(status.commitment.is_none(), "something was sealed");
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(stage.environment.client.clone(), &tenant.namespace);
    let sealed = secrets
        .list(&ListParams::default().labels("chamber.dev/cluster"))
        .await?;
    ensure!(sealed.items.is_empty(), "a sealed Secret was made");
    Ok(())
}

/// The operator's pod is killed in the middle of Roll; the next one goes on where the world is.
pub async fn operator_killed(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("operator_killed")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    stage.declare(tenant, v2).await?;
    stage
        .until(tenant, ROLLOVER, "Roll", |status| {
            status.step.as_deref() == Some("Roll")
        })
        .await?;
    let operators: Api<Pod> =
        Api::namespaced(stage.environment.client.clone(), demo::manifests::OPERATOR);
    for pod in operators.list(&ListParams::default()).await? {
        operators
            .delete(&pod.name_any(), &DeleteParams::default().grace_period(0))
            .await?;
    }
    stage.settled(tenant, v2).await.map(drop)
}

/// The user changes their mind in the middle: the same five steps back.
pub async fn back_to_the_release_before(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("back_to_the_release_before")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    stage.declare(tenant, v2).await?;
    stage
        .until(tenant, ROLLOVER, "Roll", |status| {
            status.step.as_deref() == Some("Roll")
        })
        .await?;
    let status = stage.settle(tenant, v1).await?;
    // Which one depends on whether a chamber of v2 was there already.
    let turned = status
        .history
        .iter()
        .any(|record| ["TurnedBack", "Superseded"].contains(&record.outcome.as_str()));
    if !turned {
        bail!("the history does not tell of it: {:?}", status.history);
    }
    stage::only(&status, v1)
}
