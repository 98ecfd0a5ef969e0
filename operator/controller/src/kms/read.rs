//! Reading keys: state, tags and policy, concurrently; and what goes beside the policy, where that was long ago.

use aws_sdk_kms::types::{KeyMetadata, KeyState as SdkState};
use futures::future::join_all;
use jiff::Timestamp;
use key_policy::{KeyLists, Policy};
use kms_key::{Error as CallError, Key};
use rollover::{KeyFacts, KeyState, Reading, Readings, Share, Spec};

use crate::kms::error::Error;
use crate::kms::keyring::Access;

/// Reads every key of the spec.
pub async fn keys(access: Access<'_>, spec: &Spec) -> Readings {
    let readings = spec.shares.iter().map(async |share| {
        let key = access.key(&spec.owner, share).await;
        let read_at = access.clock.now();
        let lists = async || access.lists(&spec.owner, share).await;
        let reading = match facts(&key, read_at, lists).await {
            Ok(facts) => Reading::Facts(std::sync::Arc::new(facts)),
            Err(error) => {
                let error = Error::of(&share.name)(error);
                Reading::Failed {
                    read_at,
                    reason: error.reason(),
                    message: format!("{error} ({})", share.arn),
                }
            }
        };
        access
            .telemetry
            .key_read(matches!(reading, Reading::Facts(_)));
        (share.arn.clone(), reading)
    });
    join_all(readings).await.into_iter().collect()
}

async fn facts(
    key: &Key<'_>,
    read_at: Timestamp,
    lists: impl AsyncFnOnce() -> KeyLists,
) -> Result<KeyFacts, CallError> {
    let (metadata, tags, policy) = futures::join!(key.metadata(), key.tags(), key.policy());
    let (metadata, tags, policy) = (metadata?, tags?, policy?);
    // Of a key that cannot be read nothing is listed, either.
    let lists = lists().await;
    Ok(KeyFacts {
        read_at,
        state: state(metadata.as_ref()),
        tags,
        policy: Policy::parse(&policy).map_err(|error| error.to_string()),
        described: metadata.map(|metadata| kms_key::facts(&metadata, lists)),
    })
}

fn state(metadata: Option<&KeyMetadata>) -> KeyState {
    match metadata.and_then(KeyMetadata::key_state) {
        Some(SdkState::Enabled) => KeyState::Enabled,
        Some(other) => KeyState::Other(other.as_str().to_owned()),
        None => KeyState::Other("in an unknown state".to_owned()),
    }
}

/// The policy of one key, read now; where it is no policy document, why.
pub async fn policy(key: &Key<'_>, share: &Share) -> Result<Result<Policy, String>, Error> {
    let text = key.policy().await.map_err(Error::of(&share.name))?;
    Ok(Policy::parse(&text).map_err(|error| error.to_string()))
}
