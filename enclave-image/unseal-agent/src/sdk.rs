//! [`Kms`] over the AWS SDK.

use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Builder, Region, SharedCredentialsProvider};
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyEncryptionMechanism, RecipientInfo};
use chamber_link::ShareResult;

use crate::{DecryptReply, DecryptRequest, EncryptReply, EncryptRequest, Kms, KmsFault, classify};

/// One request takes milliseconds; a chamber that waits longer is better off asking again.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The client's settings but for its way out: the caller adds the HTTP client.
///
/// The SDK retries nothing, because each try needs a fresh attestation document.
pub fn config(region: String, credentials: SharedCredentialsProvider) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(TIMEOUT)
        .operation_timeout(TIMEOUT)
        .build();
    aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
}

/// A client with its connections.
#[derive(Debug, Clone)]
pub struct SdkKms {
    client: Client,
}

impl SdkKms {
    /// Over a client made of [`config`].
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

/// The Region of a key, which its ARN names: no host chooses where a key's KMS is.
fn in_region_of(key_arn: &str) -> Builder {
    let region = key_arn.split(':').nth(3).unwrap_or_default().to_owned();
    aws_sdk_kms::Config::builder().region(Region::new(region))
}

impl Kms for SdkKms {
    async fn decrypt(&self, request: DecryptRequest) -> Result<DecryptReply, KmsFault> {
        let recipient = RecipientInfo::builder()
            .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
            .attestation_document(Blob::new(request.document))
            .build();
        let region = in_region_of(&request.key_arn);
        let reply = self
            .client
            .decrypt()
            .key_id(request.key_arn)
            .ciphertext_blob(Blob::new(request.ciphertext))
            .set_encryption_context(Some(request.context.into_iter().collect()))
            .recipient(recipient)
            .customize()
            .config_override(region)
            .send()
            .await
            .map_err(|error| fault(&error))?;
        Ok(DecryptReply {
            key_id: reply.key_id,
            for_recipient: reply.ciphertext_for_recipient.map(Blob::into_inner),
        })
    }

    async fn encrypt(&self, request: EncryptRequest) -> Result<EncryptReply, KmsFault> {
        let region = in_region_of(&request.key_arn);
        let reply = self
            .client
            .encrypt()
            .key_id(request.key_arn)
            // The SDK's copy cannot be wiped: it is one share of a key that the enclave's memory holds anyway.
            .plaintext(Blob::new(request.plaintext.to_vec()))
            .set_encryption_context(Some(request.context.into_iter().collect()))
            .customize()
            .config_override(region)
            .send()
            .await
            .map_err(|error| fault(&error))?;
        Ok(EncryptReply {
            key_id: reply.key_id,
            ciphertext: reply.ciphertext_blob.map(Blob::into_inner),
        })
    }
}

/// By code, not by variant: the SDK does not model `AccessDeniedException` and other common errors.
fn fault<E>(error: &SdkError<E, HttpResponse>) -> KmsFault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (result, code, message) = match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or("UnknownError");
            let server_fault = context.raw().status().as_u16() >= 500;
            let message = context.err().message().unwrap_or("without a message");
            (classify(code, server_fault), code, message.to_owned())
        }
        other => {
            let code = match other {
                SdkError::TimeoutError(_) => "Timeout",
                SdkError::DispatchFailure(_) => "NoConnection",
                SdkError::ResponseError(_) => "UnreadableAnswer",
                _ => "RequestNotSent",
            };
            let message = DisplayErrorContext(other).to_string();
            (ShareResult::Transient, code, message)
        }
    };
    KmsFault {
        result,
        code: code.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::operation::decrypt::{DecryptError, DecryptOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use std::collections::BTreeMap;

    use super::*;

    fn request() -> DecryptRequest {
        DecryptRequest {
            key_arn: "arn:aws:kms:us-east-1:111122223333:key/a".into(),
            ciphertext: b"ct".to_vec(),
            context: BTreeMap::from([("k".into(), "v".into())]),
            document: b"doc".to_vec(),
        }
    }

    #[tokio::test]
    async fn decrypt_pins_the_key_and_carries_context_and_document() {
        let rule = mock!(Client::decrypt)
            .match_requests(|request| {
                let recipient = request.recipient();
                request.key_id() == Some("arn:aws:kms:us-east-1:111122223333:key/a")
                    && request.ciphertext_blob() == Some(&Blob::new("ct"))
                    && request
                        .encryption_context()
                        .and_then(|c| c.get("k"))
                        .map(String::as_str)
                        == Some("v")
                    && recipient.and_then(|r| r.attestation_document()) == Some(&Blob::new("doc"))
                    && recipient.and_then(|r| r.key_encryption_algorithm())
                        == Some(&KeyEncryptionMechanism::RsaesOaepSha256)
            })
            .then_output(|| {
                DecryptOutput::builder()
                    .key_id("id")
                    .ciphertext_for_recipient(Blob::new("cms"))
                    .build()
            });
        let kms = SdkKms::new(mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&rule]));
        let reply = kms.decrypt(request()).await.unwrap();
        assert_eq!(reply.key_id.as_deref(), Some("id"));
        assert_eq!(reply.for_recipient.as_deref(), Some(&b"cms"[..]));
    }

    #[tokio::test]
    async fn an_unmodelled_code_is_read_by_its_name() {
        let rule = mock!(Client::decrypt).then_error(|| {
            DecryptError::generic(
                aws_sdk_kms::error::ErrorMetadata::builder()
                    .code("AccessDeniedException")
                    .message("no")
                    .build(),
            )
        });
        let kms = SdkKms::new(mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&rule]));
        let fault = kms.decrypt(request()).await.err().unwrap();
        assert_eq!(fault.result, ShareResult::Denied);
        assert_eq!(fault.to_string(), "AccessDeniedException: no");
    }
}
