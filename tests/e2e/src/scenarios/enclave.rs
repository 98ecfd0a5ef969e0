//! Chambers whose enclaves are image files that QEMU boots: kernel, agent, vsock and attestation are real.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use demo::chambers::{Shape, chamber_cluster};
use demo::{Release, Tenant, kubernetes, load};

use crate::stage::{self, Stage};

/// A machine is booted for each seal and each chamber, beside everything else that runs here.
const PATIENCE: Duration = Duration::from_mins(6);

/// An enclave seals, v1 unseals and serves, v2 follows: each verified by its attestation document and nothing less.
pub async fn enclave_image_files(stage: &Stage) -> Result<()> {
    let releases = stage.environment.host.enclave_releases().await;
    let releases = releases.context("enclave image files cannot be booted here")?;
    let tenant = stage.tenant("enclave_image_files")?;
    let (v1, v2) = (&releases.v1, &releases.v2);
    ensure!(v1.image_sha384() != v2.image_sha384(), "one image twice");

    settle(stage, tenant, v1).await?;
    load::start(&stage.environment.client, tenant, v1).await?;
    settle(stage, tenant, v2).await?;

    let counted = load::stats(&stage.environment.client, tenant).await?;
    ensure!(
        counted.failed == 0 && counted.sent > 20,
        "{} of {} requests failed: {:?}",
        counted.failed,
        counted.sent,
        counted.last_error
    );
    ensure!(
        counted.public_keys.len() == 1,
        "the master key changed: {:?}",
        counted.public_keys
    );
    Ok(())
}

/// One chamber on this release, the next one started before the last one ends.
async fn settle(stage: &Stage, tenant: &Tenant, release: &Release) -> Result<()> {
    let shape = Shape {
        replicas: 1,
        settle_time: "1s".into(),
        soak_time: "3s".into(),
        ..Shape::default()
    };
    let mut object = chamber_cluster(tenant, release, &shape);
    object["spec"]["rollover"]["maxUnavailable"] = 0.into();
    object["spec"]["rollover"]["maxSurge"] = 1.into();
    object["spec"]["verification"]["attestation"] = "Required".into();
    kubernetes::apply(&stage.environment.client, &object).await?;
    let image = release.image_sha384();
    let what = format!("an enclave of {} to serve alone", release.image);
    let settled = stage.until(tenant, PATIENCE, &what, |status| {
        let current = status.current.as_ref();
        status.rollover.is_none()
            && status.reason.is_none()
            && current.is_some_and(|on| on.measurement.image_sha384.as_str() == image)
            && status.chambers_ready.as_deref() == Some("1/1")
    });
    let status = match settled.await {
        Ok(status) => status,
        Err(error) => {
            let troubles = kubernetes::troubles(&stage.environment.client, &tenant.namespace).await;
            return Err(error.context(troubles));
        }
    };
    stage::only(&status, release)
}
