//! Keys as KMS has them, read with the user's own credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    GrantListEntry, GrantOperation, KeyMetadata, KeyState, KeyUsageType, MessageType, OriginType,
    SigningAlgorithmSpec,
};
use chamber_resource::arn::Arn;
use key_policy::{Grant, KeyFacts, KeyLists, Unread};

use crate::output::Failure;

/// What one call may take, retries included.
const CALL: Duration = Duration::from_secs(20);
/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Grants on a page: the most that KMS gives.
const PAGE: i32 = 100;

type Listed<T> = Result<Vec<T>, Unread>;

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

    /// Its public half, DER `SubjectPublicKeyInfo`.
    pub async fn public_key(&self) -> Result<Vec<u8>, Failure> {
        let answer = self.client.get_public_key().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| self.failure("kms:GetPublicKey", &error))?;
        Ok(answer.public_key.map(Blob::into_inner).unwrap_or_default())
    }

    /// A signature over a message: 64 bytes.
    pub async fn sign_ed25519(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let algorithm = SigningAlgorithmSpec::Ed25519Sha512;
        self.sign(message, MessageType::Raw, algorithm).await
    }

    /// A signature over a message of which this is the SHA-384: DER.
    pub async fn sign_p384(&self, digest: &[u8; 48]) -> Result<Vec<u8>, Failure> {
        let algorithm = SigningAlgorithmSpec::EcdsaSha384;
        self.sign(digest, MessageType::Digest, algorithm).await
    }

    async fn sign(
        &self,
        message: &[u8],
        kind: MessageType,
        algorithm: SigningAlgorithmSpec,
    ) -> Result<Vec<u8>, Failure> {
        let sign = self
            .client
            .sign()
            .key_id(self.arn)
            .message(Blob::new(message));
        let sign = sign.message_type(kind).signing_algorithm(algorithm);
        let answer = sign.send().await;
        let answer = answer.map_err(|error| self.failure("kms:Sign", &error))?;
        Ok(answer.signature.map(Blob::into_inner).unwrap_or_default())
    }

    /// What it says of itself.
    async fn metadata(&self) -> Result<KeyMetadata, Failure> {
        let answer = self.client.describe_key().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| self.failure("kms:DescribeKey", &error))?;
        answer
            .key_metadata
            .ok_or_else(|| Failure::read(self.arn, &"kms:DescribeKey gives no metadata"))
    }

    /// Its state, as KMS names it.
    pub async fn state(&self) -> Result<String, Failure> {
        let metadata = self.metadata().await?;
        let state = metadata.key_state().map_or("(unknown)", KeyState::as_str);
        Ok(state.to_owned())
    }

    /// What the lint looks at beside the policy; for what you may not list it names the permission that is missing.
    pub async fn facts(&self) -> Result<KeyFacts, Failure> {
        let (metadata, names, grants) =
            futures::try_join!(self.metadata(), self.policy_names(), self.grants())?;
        let text = |text: Option<&str>| text.unwrap_or("(unknown)").to_owned();
        let unread = [names.as_ref().err(), grants.as_ref().err()];
        Ok(KeyFacts {
            multi_region: metadata.multi_region().unwrap_or(false),
            origin: text(metadata.origin().map(OriginType::as_str)),
            usage: text(metadata.key_usage().map(KeyUsageType::as_str)),
            state: text(metadata.key_state().map(KeyState::as_str)),
            lists: KeyLists {
                unread: unread.into_iter().flatten().cloned().collect(),
                policy_names: names.unwrap_or_default(),
                grants: grants.unwrap_or_default(),
            },
        })
    }

    async fn policy_names(&self) -> Result<Listed<String>, Failure> {
        let list = self.client.list_key_policies().key_id(self.arn);
        let pages = list.into_paginator().items().send();
        let names = pages.collect::<Result<Vec<_>, _>>().await;
        names.map_or_else(
            |error| self.refused("kms:ListKeyPolicies", &error),
            |names| Ok(Ok(names)),
        )
    }

    async fn grants(&self) -> Result<Listed<Grant>, Failure> {
        let list = self.client.list_grants().key_id(self.arn).limit(PAGE);
        let pages = list.into_paginator().items().send();
        let grants = pages.collect::<Result<Vec<_>, _>>().await;
        let of_sdk = |grants: Vec<_>| Ok(Ok(grants.into_iter().map(grant).collect()));
        grants.map_or_else(|error| self.refused("kms:ListGrants", &error), of_sdk)
    }

    /// A call that you may not make is a fact that was not read; any other failure is one.
    fn refused<T, E>(
        &self,
        permission: &'static str,
        error: &SdkError<E>,
    ) -> Result<Listed<T>, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error.code() {
            Some(code) if Unread::is_refusal(code) => Ok(Err(Unread {
                permission,
                code: code.to_owned(),
            })),
            _ => Err(self.failure(permission, error)),
        }
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

    /// Ends its waiting time before deletion; it is disabled then.
    pub async fn cancel_deletion(&self) -> Result<(), Failure> {
        let cancel = self.client.cancel_key_deletion().key_id(self.arn);
        let done = cancel.send().await;
        done.map_err(|error| self.failure("kms:CancelKeyDeletion", &error))
            .map(drop)
    }

    /// Enables it.
    pub async fn enable(&self) -> Result<(), Failure> {
        let done = self.client.enable_key().key_id(self.arn).send().await;
        done.map_err(|error| self.failure("kms:EnableKey", &error))
            .map(drop)
    }

    fn failure<E>(&self, permission: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        failure(self.arn, permission, error)
    }
}

fn failure<E>(what: &str, permission: &str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        (None, _) => DisplayErrorContext(error).to_string(),
    };
    Failure::read(what, &format!("{permission} gives {said}"))
}

/// Makes a symmetric key of one Region in the caller's account; gives its ARN.
pub async fn create(
    sdk: &SdkConfig,
    region: Option<&str>,
    policy: &str,
    description: &str,
) -> Result<String, Failure> {
    let mut config = aws_sdk_kms::config::Builder::from(sdk);
    if let Some(region) = region {
        config = config.region(Region::new(region.to_owned()));
    }
    let create = Client::from_conf(config.build()).create_key();
    let made = create.policy(policy).description(description).send().await;
    let made = made.map_err(|error| failure("a new key", "kms:CreateKey", &error))?;
    let arn = made.key_metadata.and_then(|metadata| metadata.arn);
    arn.ok_or_else(|| Failure::read("a new key", &"kms:CreateKey gives no ARN"))
}

fn grant(grant: GrantListEntry) -> Grant {
    let operations = grant.operations.unwrap_or_default();
    let grantee = [grant.grantee_principal, grant.grantee_service_principal];
    let operations = operations.iter().map(GrantOperation::as_str);
    Grant::listed(grant.grant_id, grant.name, grantee, operations)
}
