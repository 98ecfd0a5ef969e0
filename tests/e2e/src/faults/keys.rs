//! KMS and STS: throttled, broken, silent, slow, and answers that get lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use fault_proxy::{Moment, Then};
use serde_json::{Value, json};

use super::catch;
use crate::run::Run;

/// As slow as KMS is known to be when a policy was written.
const PROPAGATION: Duration = Duration::from_mins(1);

/// A rollover under these knobs; each of the outcomes was met at least as often as said.
async fn under(run: &mut Run<'_>, knobs: Value, met: &[(&str, &str, usize)]) -> Result<()> {
    let emulator = run.bench.stage.environment.emulator();
    let since = emulator.audit(0).await?.last().map_or(0, |call| call.seq);
    emulator.set_knobs(&knobs).await?;
    run.declare().await?;
    run.complete().await?;
    emulator.set_knobs(&json!({})).await?;
    let calls = emulator.audit(since).await?;
    for (operation, outcome, times) in met {
        let count = calls
            .iter()
            .filter(|call| call.operation == *operation && call.outcome == *outcome)
            .count();
        ensure!(
            count >= *times,
            "{operation} met {outcome} {count} times, {times} were ordered"
        );
    }
    Ok(())
}

/// Each operation is throttled for longer than the SDK tries again by itself.
pub(super) async fn throttled(run: &mut Run<'_>) -> Result<()> {
    const THROTTLED: &str = "ThrottlingException";
    let knobs = json!({"throttle": {"DescribeKey": 12, "GetKeyPolicy": 12, "PutKeyPolicy": 5, "TagResource": 5, "Decrypt": 8}});
    let met = [
        ("DescribeKey", THROTTLED, 12),
        ("GetKeyPolicy", THROTTLED, 12),
        ("PutKeyPolicy", THROTTLED, 5),
        ("TagResource", THROTTLED, 5),
        ("Decrypt", THROTTLED, 8),
    ];
    under(run, knobs, &met).await
}

/// KMS fails inside.
pub(super) async fn internal_errors(run: &mut Run<'_>) -> Result<()> {
    let knobs = json!({"failures": {
        "ListResourceTags": {"code": "InternalFailure", "count": 12},
        "GetKeyPolicy": {"code": "ServiceUnavailable", "count": 12},
        "PutKeyPolicy": {"code": "KMSInternalException", "count": 5},
        "Decrypt": {"code": "DependencyTimeoutException", "count": 8},
    }});
    let met = [
        ("ListResourceTags", "InternalFailure", 12),
        ("GetKeyPolicy", "ServiceUnavailable", 12),
        ("PutKeyPolicy", "KMSInternalException", 5),
        ("Decrypt", "DependencyTimeoutException", 8),
    ];
    under(run, knobs, &met).await
}

/// KMS takes requests and never answers.
pub(super) async fn time_outs(run: &mut Run<'_>) -> Result<()> {
    let proxy = &run.process.proxy;
    let silent = [("GetKeyPolicy", 4), ("PutKeyPolicy", 2), ("DescribeKey", 1)];
    let intercepts = silent.map(|(call, times)| {
        let intercept = catch(proxy, call, times, Moment::Before, Then::Hold);
        (call, times, intercept)
    });
    run.declare().await?;
    run.complete().await?;
    for (call, times, intercept) in intercepts {
        ensure!(
            intercept.count() == times,
            "{call} was held {} times",
            intercept.count()
        );
    }
    proxy.release();
    Ok(())
}

/// `GetKeyPolicy` shows the new policies at once, and for a minute Decrypt enforces the old ones.
pub(super) async fn slow_policies(run: &mut Run<'_>) -> Result<()> {
    let emulator = run.bench.stage.environment.emulator();
    let since = emulator.audit(0).await?.last().map_or(0, |call| call.seq);
    emulator
        .set_knobs(&json!({"decryptPolicyHold": true}))
        .await?;
    run.declare().await?;
    // The fault's length, not a wait for anything.
    tokio::time::sleep(PROPAGATION).await;
    run.held(&["ChamberSealed"]).await?;
    emulator.set_knobs(&json!({})).await?;
    run.complete().await?;
    let target = run.last().image_sha384();
    let calls = emulator.audit(since).await?;
    let refused = calls.iter().filter(|call| {
        call.operation == "Decrypt"
            && call.outcome == "AccessDeniedException"
            && call.measurement.as_deref() == Some(target)
    });
    ensure!(refused.count() > 1, "no chamber was refused");
    Ok(())
}

/// Policies and tags are written and the operator is not told.
pub(super) async fn lost_answers_of_key_writes(run: &mut Run<'_>) -> Result<()> {
    let proxy = &run.process.proxy;
    // Where one answer is lost, the operator drops the calls beside it: how many are caught differs.
    let lost = [("PutKeyPolicy", 4, 2), ("TagResource", 2, 1)];
    let intercepts = lost.map(|(call, times, least)| {
        let intercept = catch(proxy, call, times, Moment::After, Then::Drop);
        (call, least, intercept)
    });
    run.declare().await?;
    run.complete().await?;
    for (call, least, intercept) in intercepts {
        let count = intercept.count();
        ensure!(count >= least, "{count} answers of {call} were lost");
    }
    proxy.release();
    Ok(())
}
