//! Reading keys: state, tags and policy, concurrently.

use std::collections::BTreeMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::types::KeyState as SdkState;
use chamber_api::ChamberCluster;
use futures::future::join_all;
use jiff::Timestamp;
use key_policy::Policy;
use rollover::{KeyFacts, KeyState, Reading, Readings, Reason, Share, Spec};

use crate::context::Context;

/// Reads every key of the spec.
pub async fn keys(ctx: &Context, cluster: &ChamberCluster, spec: &Spec) -> Readings {
    let readings = spec.shares.iter().map(async |share| {
        let client = ctx.keyring.client(ctx, cluster, share).await;
        let read_at = Timestamp::now();
        let reading = match facts(&client, share, read_at).await {
            Ok(facts) => Reading::Facts(std::sync::Arc::new(facts)),
            Err(failure) => Reading::Failed {
                read_at,
                reason: failure.reason,
                message: failure.message,
            },
        };
        ctx.telemetry.key_read(matches!(reading, Reading::Facts(_)));
        (share.arn.clone(), reading)
    });
    join_all(readings).await.into_iter().collect()
}

/// Why a key could not be read.
struct Failure {
    reason: Reason,
    message: String,
}

async fn facts(client: &Client, share: &Share, read_at: Timestamp) -> Result<KeyFacts, Failure> {
    let (state, tags, policy) = futures::join!(
        state(client, share),
        tags(client, share),
        policy_text(client, share)
    );
    Ok(KeyFacts {
        read_at,
        state: state?,
        tags: tags?,
        policy: Policy::parse(&policy?).map_err(|error| error.to_string()),
    })
}

async fn state(client: &Client, share: &Share) -> Result<KeyState, Failure> {
    let answer = client.describe_key().key_id(&share.arn).send().await;
    let answer = answer.map_err(|error| failure(share, "kms:DescribeKey", &error))?;
    let state = answer
        .key_metadata()
        .and_then(|metadata| metadata.key_state());
    Ok(match state {
        Some(SdkState::Enabled) => KeyState::Enabled,
        Some(other) => KeyState::Other(other.as_str().to_owned()),
        None => KeyState::Other("in an unknown state".to_owned()),
    })
}

async fn tags(client: &Client, share: &Share) -> Result<BTreeMap<String, String>, Failure> {
    let mut pages = client
        .list_resource_tags()
        .key_id(&share.arn)
        .into_paginator()
        .items()
        .send();
    let mut tags = BTreeMap::new();
    while let Some(tag) = pages.next().await {
        let tag = tag.map_err(|error| failure(share, "kms:ListResourceTags", &error))?;
        tags.insert(tag.tag_key, tag.tag_value);
    }
    Ok(tags)
}

async fn policy_text(client: &Client, share: &Share) -> Result<String, Failure> {
    let answer = client.get_key_policy().key_id(&share.arn).send().await;
    let answer = answer.map_err(|error| failure(share, "kms:GetKeyPolicy", &error))?;
    Ok(answer.policy.unwrap_or_default())
}

fn failure<E>(share: &Share, permission: &str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        (None, _) => DisplayErrorContext(error).to_string(),
    };
    let (reason, cure) = match error.code() {
        Some("NotFoundException") => (Reason::KeyNotFound, "Correct the ARN in spec.keys.shares"),
        _ => (
            Reason::KeyUnreadable,
            "Check assumeRoleArn, that the role's trust lets this operator assume it with the ExternalId <uid of namespace kube-system>/<namespace>/<name>, and what the role may do",
        ),
    };
    Failure {
        reason,
        message: format!(
            "key {} ({}): {permission} gives {said}. {cure}",
            share.name, share.arn
        ),
    }
}

/// The policy of one key, read now.
pub async fn policy(client: &Client, share: &Share) -> Result<Policy, String> {
    let text = policy_text(client, share)
        .await
        .map_err(|failure| failure.message)?;
    Policy::parse(&text).map_err(|error| format!("the policy of key {}: {error}", share.name))
}
