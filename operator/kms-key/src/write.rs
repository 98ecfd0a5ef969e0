//! What changes a key.

use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::types::Tag;

use crate::{Error, Key};

/// A policy write is given this long.
const PUT: Duration = Duration::from_secs(2);

impl Key<'_> {
    /// Replaces its policy (`PutKeyPolicy`). It is sent once: KMS has no compare-and-swap, and a late retry could undo a newer write.
    pub async fn put_policy(&self, policy: String) -> Result<(), Error> {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(PUT)
            .operation_attempt_timeout(PUT)
            .build();
        let once = aws_sdk_kms::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        let put = self.client.put_key_policy().key_id(self.arn).policy(policy);
        let sent = put.customize().config_override(once).send().await;
        sent.map(drop)
            .map_err(|error| Error::new("kms:PutKeyPolicy", &error))
    }

    /// Adds tags (`TagResource`); one of the same name is replaced.
    pub async fn tag(&self, tags: Vec<Tag>) -> Result<(), Error> {
        let tag = self.client.tag_resource().key_id(self.arn);
        let sent = tag.set_tags(Some(tags)).send().await;
        sent.map(drop)
            .map_err(|error| Error::new("kms:TagResource", &error))
    }

    /// Ends its waiting time before deletion (`CancelKeyDeletion`); it is disabled then.
    pub async fn cancel_deletion(&self) -> Result<(), Error> {
        let sent = self.client.cancel_key_deletion().key_id(self.arn).send();
        sent.await
            .map(drop)
            .map_err(|error| Error::new("kms:CancelKeyDeletion", &error))
    }

    /// Enables it (`EnableKey`).
    pub async fn enable(&self) -> Result<(), Error> {
        let sent = self.client.enable_key().key_id(self.arn).send();
        sent.await
            .map(drop)
            .map_err(|error| Error::new("kms:EnableKey", &error))
    }
}

/// Makes a symmetric key of one Region in the caller's account (`CreateKey`); gives its ARN, none where the answer has none.
pub async fn create(
    client: &Client,
    policy: &str,
    description: &str,
) -> Result<Option<String>, Error> {
    let create = client.create_key().policy(policy);
    let made = create.description(description).send().await;
    let made = made.map_err(|error| Error::new("kms:CreateKey", &error))?;
    Ok(made.key_metadata.and_then(|metadata| metadata.arn))
}
