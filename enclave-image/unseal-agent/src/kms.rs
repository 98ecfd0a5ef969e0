//! KMS as the agent uses it, and its refusals by class.

use std::collections::BTreeMap;

use chamber_link::ShareResult;
use zeroize::Zeroizing;

/// KMS for one region. One call is one request: the agent decides on retries, with a fresh document each.
pub trait Kms: Send + Sync + 'static {
    /// Decrypt with a recipient: the answer is encrypted to the key in the document.
    fn decrypt(
        &self,
        request: DecryptRequest,
    ) -> impl Future<Output = Result<DecryptReply, KmsFault>> + Send;
    /// Encrypt, which takes no attestation.
    fn encrypt(
        &self,
        request: EncryptRequest,
    ) -> impl Future<Output = Result<EncryptReply, KmsFault>> + Send;
}

/// What Decrypt is asked.
pub struct DecryptRequest {
    /// Full ARN of the only key that may open it.
    pub key_arn: String,
    /// KMS's `CiphertextBlob`.
    pub ciphertext: Vec<u8>,
    /// The encryption context that it was made with.
    pub context: BTreeMap<String, String>,
    /// A fresh attestation document.
    pub document: Vec<u8>,
}

/// What Decrypt answers. Nothing of it is believed yet.
pub struct DecryptReply {
    /// ARN of the key that opened it.
    pub key_id: Option<String>,
    /// The plaintext, encrypted to the document's key (BER CMS).
    pub for_recipient: Option<Vec<u8>>,
}

/// What Encrypt is asked.
pub struct EncryptRequest {
    /// Full ARN of the key.
    pub key_arn: String,
    /// At most 4096 bytes; wiped when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The encryption context that Decrypt must repeat.
    pub context: BTreeMap<String, String>,
}

/// What Encrypt answers.
pub struct EncryptReply {
    /// ARN of the key that encrypted it.
    pub key_id: Option<String>,
    /// KMS's `CiphertextBlob`.
    pub ciphertext: Option<Vec<u8>>,
}

/// A call that brought no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KmsFault {
    /// What it means for the share.
    pub result: ShareResult,
    /// KMS's error code, or the agent's word for a failure on the way.
    pub code: String,
    /// KMS's text, or what failed on the way.
    pub message: String,
}

impl KmsFault {
    /// For the host: KMS's code says enough, a failure on the way does not.
    pub fn detail(&self) -> String {
        if ON_THE_WAY.contains(&self.code.as_str()) {
            self.to_string()
        } else {
            self.code.clone()
        }
    }
}

/// No answer within the time for one call.
pub(crate) const TIMEOUT: &str = "Timeout";
/// The way to KMS failed: relay, TLS or HTTP.
pub(crate) const NO_CONNECTION: &str = "NoConnection";
/// Something answered that is no answer of KMS.
pub(crate) const UNREADABLE: &str = "UnreadableAnswer";
/// There were no credentials, or no request could be made.
pub(crate) const NOT_SENT: &str = "RequestNotSent";
/// KMS calls the request's time wrong.
pub(crate) const CLOCK_SKEW: &str = "ClockSkew";
const ON_THE_WAY: [&str; 5] = [TIMEOUT, NO_CONNECTION, UNREADABLE, NOT_SENT, CLOCK_SKEW];

/// Whether KMS refused the credentials and not their request: others are needed (AWS's common errors).
pub(crate) fn is_expired(code: &str) -> bool {
    matches!(
        code,
        "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
    )
}

/// Whether KMS refused a request for its time: it allows some minutes (AWS's common errors, and the text of a signature
/// that is too old or from the future).
pub(crate) fn is_clock_skew(code: &str, message: &str) -> bool {
    let of_time = message.contains("Signature expired") || message.contains("not yet current");
    match code {
        "RequestExpired" | "RequestTimeTooSkewed" => true,
        "InvalidSignatureException" | "SignatureDoesNotMatch" => of_time,
        _ => false,
    }
}

/// The class of one of KMS's error codes (API reference of Decrypt and Encrypt, and the common errors).
///
/// `server_fault` is whether the HTTP status was 500 or above.
pub fn classify(code: &str, server_fault: bool) -> ShareResult {
    match code {
        "AccessDeniedException" | "AccessDenied" => ShareResult::Denied,
        "ThrottlingException"
        | "Throttling"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => ShareResult::Throttled,
        // Both codes: which one a key pending deletion gives is not settled in AWS's documentation.
        "DisabledException" | "KMSInvalidStateException" | "NotFoundException" => {
            ShareResult::KeyUnusable
        }
        // The next call fetches new credentials, so this one passes by itself.
        "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "ExpiredTokenException"
        | "ExpiredToken" => ShareResult::Transient,
        _ if server_fault => ShareResult::Transient,
        _ => ShareResult::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_has_its_class() {
        let cases = [
            ("AccessDeniedException", ShareResult::Denied),
            ("ThrottlingException", ShareResult::Throttled),
            ("DisabledException", ShareResult::KeyUnusable),
            ("KMSInvalidStateException", ShareResult::KeyUnusable),
            ("NotFoundException", ShareResult::KeyUnusable),
            ("KMSInternalException", ShareResult::Transient),
            ("DependencyTimeoutException", ShareResult::Transient),
            ("KeyUnavailableException", ShareResult::Transient),
            ("InvalidCiphertextException", ShareResult::Invalid),
            ("IncorrectKeyException", ShareResult::Invalid),
            ("InvalidKeyUsageException", ShareResult::Invalid),
            ("InvalidGrantTokenException", ShareResult::Invalid),
            ("ValidationException", ShareResult::Invalid),
        ];
        for (code, class) in cases {
            assert_eq!(classify(code, false), class, "{code}");
        }
    }

    #[test]
    fn what_a_new_question_cures_is_known_by_its_code() {
        assert!(is_expired("ExpiredTokenException") && is_expired("UnrecognizedClientException"));
        assert!(!is_expired("AccessDeniedException"));
        let old = "Signature expired: 20261126T070000Z is now earlier than 20261126T071500Z";
        assert!(is_clock_skew("InvalidSignatureException", old));
        let early = "Signature not yet current: 20261126T080000Z is still later than now";
        assert!(is_clock_skew("InvalidSignatureException", early));
        assert!(is_clock_skew("RequestExpired", ""));
        let wrong = "The request signature we calculated does not match";
        assert!(!is_clock_skew("InvalidSignatureException", wrong));
        assert!(!is_clock_skew("AccessDeniedException", old));
    }

    #[test]
    fn the_host_is_told_what_failed_on_the_way_and_not_kms_text() {
        let fault = |code: &str| KmsFault {
            result: ShareResult::Transient,
            code: code.into(),
            message: "why".into(),
        };
        assert_eq!(fault(NO_CONNECTION).detail(), "NoConnection: why");
        assert_eq!(
            fault("KMSInternalException").detail(),
            "KMSInternalException"
        );
    }

    #[test]
    fn an_unknown_code_is_transient_only_as_a_fault_of_the_server() {
        assert_eq!(classify("Mystery", true), ShareResult::Transient);
        assert_eq!(classify("Mystery", false), ShareResult::Invalid);
    }
}
