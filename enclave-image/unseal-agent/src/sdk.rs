//! [`Kms`] over the AWS SDK.

use std::collections::BTreeMap;
use std::iter::successors;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{
    BehaviorVersion, Builder, IdentityCache, Region, SharedCredentialsProvider, SharedIdentityCache,
};
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyEncryptionMechanism, RecipientInfo};
use chamber_link::ShareResult;
use cluster_manifest::KeyArn;

use crate::kms::{
    self, CLOCK_SKEW, NO_CONNECTION, NOT_SENT, UNREADABLE, is_clock_skew, is_expired,
};
use crate::{DecryptReply, DecryptRequest, EncryptReply, EncryptRequest, Kms, KmsFault, classify};

/// Characters of a cause at most: it may quote what somebody on the way said.
const LONGEST_CAUSE: usize = 200;
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

/// KMS of every Region: one client each, made when its first key is asked.
pub struct SdkKms {
    settings: Builder,
    expired: Box<dyn Fn() + Send + Sync>,
    clients: Mutex<Clients>,
}

/// Clients that share their credentials.
struct Clients {
    /// Counts the credentials that KMS called expired.
    generation: u64,
    credentials: SharedIdentityCache,
    by_region: BTreeMap<String, Client>,
}

impl Clients {
    fn new(generation: u64) -> Self {
        Self {
            generation,
            credentials: IdentityCache::lazy().build(),
            by_region: BTreeMap::new(),
        }
    }
}

impl SdkKms {
    /// Over clients made of [`config`]; `expired` is called when KMS calls the credentials expired, once for each.
    pub fn new(settings: Builder, expired: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            settings,
            expired: Box::new(expired),
            clients: Mutex::new(Clients::new(0)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        // A client more or less is no harm.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of a key's Region, which its ARN names: no host chooses where a key's KMS is.
    fn client_of(&self, key_arn: &str) -> (Client, u64) {
        let region = KeyArn::parse(key_arn).map_or("", |arn| arn.region);
        let mut clients = self.lock();
        let credentials = clients.credentials.clone();
        let client = clients.by_region.entry(region.to_owned());
        let client = client.or_insert_with_key(|region| {
            let settings = self.settings.clone();
            let settings = settings.region(Region::new(region.clone()));
            Client::from_conf(settings.identity_cache(credentials).build())
        });
        let client = client.clone();
        (client, clients.generation)
    }

    /// What became of a call; credentials that KMS calls expired are dropped with the clients that keep them.
    fn judge<E>(&self, error: &SdkError<E, HttpResponse>, generation: u64) -> KmsFault
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let fault = fault(error);
        if is_expired(&fault.code) {
            let mut clients = self.lock();
            // A late answer about credentials that were dropped says nothing of the new ones.
            if clients.generation == generation {
                *clients = Clients::new(generation + 1);
                drop(clients);
                (self.expired)();
            }
        }
        fault
    }
}

impl Kms for SdkKms {
    async fn decrypt(&self, request: DecryptRequest) -> Result<DecryptReply, KmsFault> {
        let recipient = RecipientInfo::builder()
            .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
            .attestation_document(Blob::new(request.document))
            .build();
        let (client, generation) = self.client_of(&request.key_arn);
        let reply = client
            .decrypt()
            .key_id(request.key_arn)
            .ciphertext_blob(Blob::new(request.ciphertext))
            .set_encryption_context(Some(request.context.into_iter().collect()))
            .recipient(recipient)
            .send()
            .await
            .map_err(|error| self.judge(&error, generation))?;
        Ok(DecryptReply {
            key_id: reply.key_id,
            for_recipient: reply.ciphertext_for_recipient.map(Blob::into_inner),
        })
    }

    async fn encrypt(&self, request: EncryptRequest) -> Result<EncryptReply, KmsFault> {
        let (client, generation) = self.client_of(&request.key_arn);
        let reply = client
            .encrypt()
            .key_id(request.key_arn)
            // The SDK's copy cannot be wiped: it is one share of a key that the enclave's memory holds anyway.
            .plaintext(Blob::new(request.plaintext.to_vec()))
            .set_encryption_context(Some(request.context.into_iter().collect()))
            .send()
            .await
            .map_err(|error| self.judge(&error, generation))?;
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
            // An error without a name would be told by nothing.
            let named = context.err().code().filter(|code| !code.is_empty());
            let code = named.unwrap_or("UnknownError");
            let server_fault = context.raw().status().as_u16() >= 500;
            let message = context.err().message().unwrap_or("without a message");
            if is_clock_skew(code, message) {
                let skew = format!("KMS says {code}; this enclave's time is its security module's");
                (ShareResult::Transient, CLOCK_SKEW, skew)
            } else {
                (classify(code, server_fault), code, message.to_owned())
            }
        }
        other => {
            let code = match other {
                SdkError::TimeoutError(_) => kms::TIMEOUT,
                SdkError::DispatchFailure(_) => NO_CONNECTION,
                SdkError::ResponseError(_) => UNREADABLE,
                _ => NOT_SENT,
            };
            tracing::debug!(error = %DisplayErrorContext(other), "KMS was not reached");
            (ShareResult::Transient, code, innermost(other))
        }
    };
    KmsFault {
        result,
        code: code.to_owned(),
        message,
    }
}

/// The first cause, in one line: what is around it says only that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let causes = successors(Some(error), |error| error.source());
    let text = causes.last().unwrap_or(error).to_string();
    let line = text.chars().filter(|c| !c.is_control());
    line.take(LONGEST_CAUSE).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::operation::decrypt::{DecryptError, DecryptOutput};
    use aws_smithy_mocks::Rule;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;

    fn mocked(rule: &Rule) -> SdkKms {
        let client = mock_client!(aws_sdk_kms, RuleMode::MatchAny, [rule]);
        SdkKms::new(client.config().to_builder(), || {})
    }

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
        let kms = mocked(&rule);
        let reply = kms.decrypt(request()).await.unwrap();
        assert_eq!(reply.key_id.as_deref(), Some("id"));
        assert_eq!(reply.for_recipient.as_deref(), Some(&b"cms"[..]));
    }

    #[tokio::test]
    async fn an_error_without_a_name_has_one() {
        for metadata in [
            aws_sdk_kms::error::ErrorMetadata::builder()
                .code("")
                .build(),
            aws_sdk_kms::error::ErrorMetadata::builder().build(),
        ] {
            let rule =
                mock!(Client::decrypt).then_error(move || DecryptError::generic(metadata.clone()));
            let fault = mocked(&rule).decrypt(request()).await.err().unwrap();
            assert_eq!(fault.detail(), "UnknownError");
        }
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
        let kms = mocked(&rule);
        let fault = kms.decrypt(request()).await.err().unwrap();
        assert_eq!(fault.result, ShareResult::Denied);
        assert_eq!(fault.to_string(), "AccessDeniedException: no");
    }
}
