//! Reading keys: state, tags and policy, concurrently.

use std::collections::BTreeMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyState as SdkState;
use futures::future::join_all;
use jiff::Timestamp;
use key_policy::Policy;
use rollover::{KeyFacts, KeyState, Reading, Readings, Share, Spec};

use crate::kms::error::Error;
use crate::kms::keyring::Access;

/// Reads every key of the spec.
pub async fn keys(access: Access<'_>, spec: &Spec) -> Readings {
    let readings = spec.shares.iter().map(async |share| {
        let client = access.client(&spec.owner, share).await;
        let read_at = Timestamp::now();
        let reading = match facts(&client, share, read_at).await {
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

async fn facts(client: &Client, share: &Share, read_at: Timestamp) -> Result<KeyFacts, Error> {
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

async fn state(client: &Client, share: &Share) -> Result<KeyState, Error> {
    let answer = client.describe_key().key_id(&share.arn).send().await;
    let answer = answer.map_err(|error| Error::new(&share.name, "kms:DescribeKey", &error))?;
    let state = answer
        .key_metadata()
        .and_then(|metadata| metadata.key_state());
    Ok(match state {
        Some(SdkState::Enabled) => KeyState::Enabled,
        Some(other) => KeyState::Other(other.as_str().to_owned()),
        None => KeyState::Other("in an unknown state".to_owned()),
    })
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
