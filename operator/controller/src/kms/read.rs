//! Reading keys: state, tags and policy, concurrently; and what goes beside the policy, where that was long ago.

use std::collections::BTreeMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeyMetadata, KeyState as SdkState, KeyUsageType, OriginType};
use futures::future::join_all;
use jiff::Timestamp;
use key_policy::{KeyLists, Policy};
use rollover::{KeyFacts, KeyState, Reading, Readings, Share, Spec};

use crate::kms::error::Error;
use crate::kms::keyring::Access;

/// Reads every key of the spec.
pub async fn keys(access: Access<'_>, spec: &Spec) -> Readings {
    let readings = spec.shares.iter().map(async |share| {
        let client = access.client(&spec.owner, share).await;
        let read_at = access.clock.now();
        let lists = async || access.lists(&spec.owner, share).await;
        let reading = match facts(&client, share, read_at, lists).await {
            Ok(facts) => Reading::Facts(std::sync::Arc::new(facts)),
            Err(error) => Reading::Failed {
                read_at,
                reason: error.reason(),
                message: format!("{error} ({})", share.arn),
            },
        };
        access
            .telemetry
            .key_read(matches!(reading, Reading::Facts(_)));
        (share.arn.clone(), reading)
    });
    join_all(readings).await.into_iter().collect()
}

async fn facts(
    client: &Client,
    share: &Share,
    read_at: Timestamp,
    lists: impl AsyncFnOnce() -> KeyLists,
) -> Result<KeyFacts, Error> {
    let (metadata, tags, policy) = futures::join!(
        metadata(client, share),
        tags(client, share),
        policy_text(client, share)
    );
    let (metadata, tags, policy) = (metadata?, tags?, policy?);
    // Of a key that cannot be read nothing is listed, either.
    let lists = lists().await;
    Ok(KeyFacts {
        read_at,
        state: state(metadata.as_ref()),
        tags,
        policy: Policy::parse(&policy).map_err(|error| error.to_string()),
        described: metadata.map(|metadata| described(&metadata, lists)),
    })
}

async fn metadata(client: &Client, share: &Share) -> Result<Option<KeyMetadata>, Error> {
    let answer = client.describe_key().key_id(&share.arn).send().await;
    let answer = answer.map_err(|error| Error::new(&share.name, "kms:DescribeKey", &error))?;
    Ok(answer.key_metadata)
}

fn state(metadata: Option<&KeyMetadata>) -> KeyState {
    match metadata.and_then(KeyMetadata::key_state) {
        Some(SdkState::Enabled) => KeyState::Enabled,
        Some(other) => KeyState::Other(other.as_str().to_owned()),
        None => KeyState::Other("in an unknown state".to_owned()),
    }
}

fn described(metadata: &KeyMetadata, lists: KeyLists) -> key_policy::KeyFacts {
    let text = |text: Option<&str>| text.unwrap_or("(unknown)").to_owned();
    key_policy::KeyFacts {
        multi_region: metadata.multi_region().unwrap_or(false),
        origin: text(metadata.origin().map(OriginType::as_str)),
        usage: text(metadata.key_usage().map(KeyUsageType::as_str)),
        state: text(metadata.key_state().map(SdkState::as_str)),
        lists,
    }
}

async fn tags(client: &Client, share: &Share) -> Result<BTreeMap<String, String>, Error> {
    let mut pages = client
        .list_resource_tags()
        .key_id(&share.arn)
        .into_paginator()
        .items()
        .send();
    let mut tags = BTreeMap::new();
    while let Some(tag) = pages.next().await {
        let tag = tag.map_err(|error| Error::new(&share.name, "kms:ListResourceTags", &error))?;
        tags.insert(tag.tag_key, tag.tag_value);
    }
    Ok(tags)
}

async fn policy_text(client: &Client, share: &Share) -> Result<String, Error> {
    let answer = client.get_key_policy().key_id(&share.arn).send().await;
    let answer = answer.map_err(|error| Error::new(&share.name, "kms:GetKeyPolicy", &error))?;
    Ok(answer.policy.unwrap_or_default())
}

/// The policy of one key, read now; where it is no policy document, why.
pub async fn policy(client: &Client, share: &Share) -> Result<Result<Policy, String>, Error> {
    let text = policy_text(client, share).await?;
    Ok(Policy::parse(&text).map_err(|error| error.to_string()))
}
