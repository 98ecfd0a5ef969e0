//! Keys as KMS has them, read with the user's own credentials.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeyMetadata, KeyState};
use chamber_resource::arn::Arn;
use key_policy::{KeyFacts, Unread};
use kms_key::{Error, Listed};

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
pub struct Key<'a>(kms_key::Key<'a>);

impl<'a> Key<'a> {
    /// The key of this ARN.
    pub fn new(sdk: &SdkConfig, arn: &'a str) -> Result<Self, Failure> {
        let parts = Arn::parse(arn).ok_or_else(|| {
            Failure::Usage(format!(
                "{arn}: expected arn:aws:kms:<region>:<account>:key/<id>"
            ))
        })?;
        let client = client(sdk, Some(parts.region));
        Ok(Self(kms_key::Key { arn, client }))
    }

    /// The text of its policy.
    pub async fn policy(&self) -> Result<String, Failure> {
        self.told(self.0.policy().await)
    }

    /// Its public half, DER `SubjectPublicKeyInfo`.
    pub async fn public_key(&self) -> Result<Vec<u8>, Failure> {
        self.told(self.0.public_key().await)
    }

    /// A signature over a message: 64 bytes.
    pub async fn sign_ed25519(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        self.told(self.0.sign_ed25519(message).await)
    }

    /// A signature over a message of which this is the SHA-384: DER.
    pub async fn sign_p384(&self, digest: &[u8; 48]) -> Result<Vec<u8>, Failure> {
        self.told(self.0.sign_p384(digest).await)
    }

    async fn metadata(&self) -> Result<KeyMetadata, Failure> {
        let metadata = self.told(self.0.metadata().await)?;
        metadata.ok_or_else(|| Failure::read(self.0.arn, &"kms:DescribeKey gives no metadata"))
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
            futures::join!(self.metadata(), self.0.policy_names(), self.0.grants());
        let metadata = metadata?;
        let lists = kms_key::lists(self.listed(names)?, self.listed(grants)?);
        Ok(kms_key::facts(&metadata, lists))
    }

    /// A call that you may not make is a fact that was not read; any other failure is one.
    fn listed<T>(&self, listed: Result<Vec<T>, Error>) -> Result<Listed<T>, Failure> {
        match listed {
            Ok(listed) => Ok(Ok(listed)),
            Err(error) if Unread::is_refusal(&error.code) && error.failed == error.asked => {
                Ok(Err(Unread {
                    permission: error.asked,
                    code: error.code,
                }))
            }
            failed => self.told(failed).map(Ok),
        }
    }

    /// Its tags.
    pub async fn tags(&self) -> Result<BTreeMap<String, String>, Failure> {
        self.told(self.0.tags().await)
    }

    /// Ends its waiting time before deletion; it is disabled then.
    pub async fn cancel_deletion(&self) -> Result<(), Failure> {
        self.told(self.0.cancel_deletion().await)
    }

    /// Enables it.
    pub async fn enable(&self) -> Result<(), Failure> {
        self.told(self.0.enable().await)
    }

    fn told<T>(&self, answer: Result<T, Error>) -> Result<T, Failure> {
        answer.map_err(|error| failure(self.0.arn, &error))
    }
}

/// Makes a symmetric key of one Region in the caller's account; gives its ARN.
pub async fn create(
    sdk: &SdkConfig,
    region: Option<&str>,
    policy: &str,
    description: &str,
) -> Result<String, Failure> {
    let made = kms_key::create(&client(sdk, region), policy, description).await;
    let arn = made.map_err(|error| failure("a new key", &error))?;
    arn.ok_or_else(|| Failure::read("a new key", &"kms:CreateKey gives no ARN"))
}

fn client(sdk: &SdkConfig, region: Option<&str>) -> Client {
    let mut config = aws_sdk_kms::config::Builder::from(sdk);
    if let Some(region) = region {
        config = config.region(Region::new(region.to_owned()));
    }
    Client::from_conf(config.build())
}

fn failure(what: &str, error: &Error) -> Failure {
    Failure::read(what, &format!("{} gives {}", error.asked, error.detail()))
}
