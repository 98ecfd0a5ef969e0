//! Writing keys: one policy write is read, compare, lease, put, read back. KMS has no compare-and-swap.

use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::error::{DisplayErrorContext, SdkError};
use aws_sdk_kms::types::Tag;
use chamber_api::ChamberCluster;
use futures::future::try_join_all;
use rollover::{KeyWrite, Share, World};

use crate::act::Error;
use crate::context::Context;
use crate::kms::read;

/// A policy write is sent once and given this long: a late retry could undo a newer write.
const PUT: Duration = Duration::from_secs(2);
/// Readings until a written policy must show: `GetKeyPolicy` may lag behind.
const READ_BACKS: u32 = 5;
/// Between two of them.
const READ_BACK_PAUSE: Duration = Duration::from_secs(1);

/// Writes all policies of a step, concurrently.
pub async fn policies(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    writes: &[KeyWrite],
) -> Result<(), Error> {
    let each = writes.iter().map(async |write| {
        let share = share(world, &write.arn)?;
        let client = ctx.keyring.client(ctx, cluster, share).await;
        let done = policy(ctx, &client, share, write).await;
        ctx.telemetry.policy_written(done.is_ok());
        done
    });
    try_join_all(each).await.map(|_| ())
}

async fn policy(
    ctx: &Context,
    client: &Client,
    share: &Share,
    write: &KeyWrite,
) -> Result<(), Error> {
    let found = read::policy(client, share).await.map_err(Error::Key)?;
    if !found.equivalent(&write.expected) {
        return Err(Error::ChangedUnderneath(share.name.clone()));
    }
    if !ctx.lease.is_held() {
        return Err(Error::NotLeading);
    }
    put(client, share, write).await?;
    for _ in 0..READ_BACKS {
        let stored = read::policy(client, share).await.map_err(Error::Key)?;
        if stored.equivalent(&write.policy) {
            tracing::info!(key = %share.name, "policy written and read back");
            return Ok(());
        }
        tokio::time::sleep(READ_BACK_PAUSE).await;
    }
    Err(Error::NotReadBack(share.name.clone()))
}

async fn put(client: &Client, share: &Share, write: &KeyWrite) -> Result<(), Error> {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(PUT)
        .operation_attempt_timeout(PUT)
        .build();
    let once = aws_sdk_kms::Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let sent = client
        .put_key_policy()
        .key_id(&share.arn)
        .policy(write.policy.to_json())
        .customize()
        .config_override(once)
        .send()
        .await;
    sent.map(|_| ())
        .map_err(|error| failed(share, "kms:PutKeyPolicy", &error))
}

/// Adds tags to keys, concurrently. Tags that are there with the same value stay as they are.
pub async fn tags(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    arns: &[String],
    tags: &[(String, String)],
) -> Result<(), Error> {
    let each = arns.iter().map(async |arn| {
        let share = share(world, arn)?;
        let client = ctx.keyring.client(ctx, cluster, share).await;
        let mut request = client.tag_resource().key_id(arn);
        for (name, value) in tags {
            let tag = Tag::builder().tag_key(name).tag_value(value).build();
            request = request.tags(tag.map_err(|error| Error::Key(error.to_string()))?);
        }
        let sent = request.send().await;
        sent.map(|_| ())
            .map_err(|error| failed(share, "kms:TagResource", &error))
    });
    try_join_all(each).await.map(|_| ())
}

fn share<'a>(world: &'a World, arn: &str) -> Result<&'a Share, Error> {
    let found = world.spec.shares.iter().find(|share| share.arn == arn);
    found.ok_or_else(|| Error::Key(format!("{arn} is not in spec.keys.shares")))
}

fn failed<E>(share: &Share, permission: &str, error: &SdkError<E>) -> Error
where
    E: std::error::Error + aws_sdk_kms::error::ProvideErrorMetadata + 'static,
{
    Error::Key(format!(
        "key {} ({}): {permission}: {}",
        share.name,
        share.arn,
        DisplayErrorContext(error)
    ))
}
