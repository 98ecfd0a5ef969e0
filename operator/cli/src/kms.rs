//! Keys as KMS has them, read with the user's own credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::types::KeyMetadata;
use chamber_resource::arn::Arn;
use key_policy::KeyFacts;

use crate::output::Failure;

/// What one call may take, retries included.
const CALL: Duration = Duration::from_secs(20);
/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// AWS's standard environment: profile, credentials, endpoints.
pub async fn environment() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts)
        .load()
        .await
}

/// One key, asked in its own Region.
pub struct Key<'a> {
    arn: &'a str,
    client: Client,
}

impl<'a> Key<'a> {
    /// The key of this ARN.
    pub fn new(sdk: &SdkConfig, arn: &'a str) -> Result<Self, Failure> {
        let parts = Arn::parse(arn).ok_or_else(|| {
            Failure::Usage(format!(
                "{arn}: expected arn:aws:kms:<region>:<account>:key/<id>"
            ))
        })?;
        let config = aws_sdk_kms::config::Builder::from(sdk)
            .region(Region::new(parts.region.to_owned()))
            .build();
        Ok(Self {
            arn,
            client: Client::from_conf(config),
        })
    }

    /// The text of its policy.
    pub async fn policy(&self) -> Result<String, Failure> {
        let answer = self.client.get_key_policy().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| self.failure("kms:GetKeyPolicy", &error))?;
        Ok(answer.policy.unwrap_or_default())
    }

    /// What it says of itself.
    pub async fn metadata(&self) -> Result<KeyMetadata, Failure> {
        let answer = self.client.describe_key().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| self.failure("kms:DescribeKey", &error))?;
        answer
            .key_metadata
            .ok_or_else(|| Failure::read(self.arn, &"kms:DescribeKey gives no metadata"))
    }

    /// What the lint looks at beside the policy.
    pub async fn facts(&self) -> Result<KeyFacts, Failure> {
        let metadata = self.metadata().await?;
        let mut pages = self
            .client
            .list_key_policies()
            .key_id(self.arn)
            .into_paginator()
            .items()
            .send();
        let mut policy_names = Vec::new();
        while let Some(name) = pages.next().await {
            policy_names.push(name.map_err(|error| self.failure("kms:ListKeyPolicies", &error))?);
        }
        let text = |text: Option<&str>| text.unwrap_or("(unknown)").to_owned();
        Ok(KeyFacts {
            multi_region: metadata.multi_region().unwrap_or(false),
            origin: text(
                metadata
                    .origin()
                    .map(aws_sdk_kms::types::OriginType::as_str),
            ),
            usage: text(
                metadata
                    .key_usage()
                    .map(aws_sdk_kms::types::KeyUsageType::as_str),
            ),
            state: text(
                metadata
                    .key_state()
                    .map(aws_sdk_kms::types::KeyState::as_str),
            ),
            policy_names,
        })
    }

    /// Its tags.
    pub async fn tags(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut pages = self
            .client
            .list_resource_tags()
            .key_id(self.arn)
            .into_paginator()
            .items()
            .send();
        let mut tags = BTreeMap::new();
        while let Some(tag) = pages.next().await {
            let tag = tag.map_err(|error| self.failure("kms:ListResourceTags", &error))?;
            tags.insert(tag.tag_key, tag.tag_value);
        }
        Ok(tags)
    }

    fn failure<E>(&self, permission: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let said = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        Failure::read(self.arn, &format!("{permission} gives {said}"))
    }
}
