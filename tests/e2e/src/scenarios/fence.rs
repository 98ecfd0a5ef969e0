//! A Deny of somebody else that asks for what only the spec can say.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::stage::Stage;

/// A fence on a VPC endpoint stops in Measure; once the spec says that the chambers have none, it is rolled.
pub async fn fence_is_spoken_of(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("fence_is_spoken_of")?;
    let v1 = &stage.environment.releases.v1;
    let mut policy = tenant.key_policy()?;
    let fence = json!({
        "Sid": "Endpoint", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
    });
    let statements = policy["Statement"].as_array_mut();
    statements.context("Statement")?.push(fence);
    let emulator = stage.environment.emulator();
    emulator
        .set_policy(&tenant.keys[1], &policy.to_string())
        .await?;
    stage.declare(tenant, v1).await?;
    let told = [
        "key b",
        "`Endpoint`",
        "depends on aws:SourceVpce",
        "spec.keys.policy.assume",
    ];
    stage
        .blocked(tenant, "PolicyDependsOnUnknown", &told)
        .await?;
    stage.untouched(tenant).await?;
    // Requests to the emulator come through no endpoint.
    let assumed = json!({"keys": {"policy": {"assume": {"aws:SourceVpce": ""}}}});
    stage.change(tenant, assumed).await?;
    stage.settled(tenant, v1).await?;
    let left = emulator.policy(&tenant.keys[1]).await?;
    ensure!(left.contains("\"Endpoint\""), "the fence is gone: {left}");
    Ok(())
}
