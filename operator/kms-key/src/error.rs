//! Why a call failed: what says the same as long as the same goes wrong.
//!
//! The operator writes it to status, where a word that changes (a request id, a date) would be a write, a watch event and a new turn.

use std::error::Error as Source;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

/// No answer came in time; whether the call was carried out is not known.
const NO_ANSWER: &str = "NoAnswer";
/// No connection, or an answer that is none of KMS.
const NOT_REACHED: &str = "NotReached";

/// Codes that pass by themselves.
const PASSING: [&str; 14] = [
    NO_ANSWER,
    NOT_REACHED,
    "DependencyTimeoutException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "KMSInternalException",
    "KeyUnavailableException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Codes whose message says what the code does not, and says it the same way each time.
const TELLING: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "LimitExceededException",
    "MalformedPolicyDocumentException",
    "TagException",
];

/// Characters of AWS's message that are shown at most.
const SAID: usize = 300;

/// A call to KMS, or to STS before it, that failed. Its text is one line that stays the same.
#[derive(Clone)]
pub struct Error {
    /// The call to KMS that was asked for, by its permission: for example `kms:PutKeyPolicy`.
    pub asked: &'static str,
    /// What of it failed: the same, `sts:AssumeRole` before it, or `credentials`.
    pub failed: &'static str,
    /// AWS's code, or `NoAnswer`, `NotReached`, `NoCredentials`.
    pub code: String,
    /// What AWS said to it, where that is no other each time.
    said: Option<Box<str>>,
    detail: Box<str>,
}

impl Error {
    /// The operator has no credentials of its own.
    pub const NO_CREDENTIALS: &'static str = "NoCredentials";

    /// Why this call failed.
    pub fn new<E, R>(asked: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Source + 'static,
        R: fmt::Debug + 'static,
    {
        let detail = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        let (failed, code, said) = match (error, error.code()) {
            (_, Some(code)) => (asked, code, error.message()),
            (SdkError::TimeoutError(_), None) => (asked, NO_ANSWER, None),
            (_, None) => before_the_call(error).unwrap_or((asked, NOT_REACHED, None)),
        };
        Self {
            asked,
            failed,
            code: code.to_owned(),
            said: said
                .filter(|_| TELLING.contains(&code))
                .map(|said| stable(said).into()),
            detail: detail.into(),
        }
    }

    /// This call was given up.
    pub fn no_answer(asked: &'static str) -> Self {
        Self {
            asked,
            failed: asked,
            code: NO_ANSWER.to_owned(),
            said: None,
            detail: NO_ANSWER.into(),
        }
    }

    /// All that is known, for a person who asked once: another one each time, and none for logs, Events or status.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether time alone may cure it.
    pub fn passes(&self) -> bool {
        PASSING.contains(&self.code.as_str())
    }

    /// Whether the call may have been carried out although it failed.
    pub fn may_have_arrived(&self) -> bool {
        [NO_ANSWER, NOT_REACHED].contains(&self.code.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed with {}", self.failed, self.code)?;
        self.said.iter().try_for_each(|said| write!(f, " ({said})"))
    }
}

/// As it is shown: the detail holds what AWS answered.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The same where the same goes wrong, whatever the single answer.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let what = |error: &Self| {
            (
                error.asked,
                error.failed,
                error.code.clone(),
                error.said.clone(),
            )
        };
        what(self) == what(other)
    }
}

impl Eq for Error {}

impl Source for Error {}

/// The call to STS that failed before the one that was asked for: its name, code and message.
fn before_the_call<'a>(
    error: &'a (dyn Source + 'static),
) -> Option<(&'static str, &'a str, Option<&'a str>)> {
    let mut found = None;
    for error in std::iter::successors(Some(error), |error| (**error).source()) {
        if let Some(sts) = error.downcast_ref::<SdkError<AssumeRoleError>>() {
            let code = sts.code().unwrap_or(NOT_REACHED);
            found = Some(("sts:AssumeRole", code, sts.message()));
        } else if let Some(sts) = error.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError>>() {
            let code = sts.code().unwrap_or(NOT_REACHED);
            found = Some(("sts:AssumeRoleWithWebIdentity", code, sts.message()));
        } else if let Some(CredentialsError::CredentialsNotLoaded(_)) = error.downcast_ref() {
            found = Some(("credentials", Error::NO_CREDENTIALS, None));
        }
    }
    found
}

/// Whether STS refused to let a role be assumed.
pub fn is_denied(error: &CredentialsError) -> bool {
    matches!(
        before_the_call(error),
        Some(("sts:AssumeRole", "AccessDenied", _))
    )
}

/// AWS's message in one line, without what names the single request.
fn stable(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let lower = line.to_ascii_lowercase();
    let end = [
        "(service:",
        "request id",
        "requestid",
        "encoded authorization",
    ]
    .iter()
    .filter_map(|mark| lower.find(mark))
    .min()
    .unwrap_or(line.len());
    let words = line.get(..end).unwrap_or_default().split_whitespace();
    let kept: Vec<_> = words.filter(|word| !is_uuid(word)).collect();
    kept.join(" ")
        .trim_end_matches(['.', ',', ';', ' ', '('])
        .chars()
        .take(SAID)
        .collect()
}

/// Eight, four, four, four and twelve hex characters; in an ARN they are part of a longer word, and stay.
fn is_uuid(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let lengths = word.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kms::error::ErrorMetadata;
    use aws_sdk_kms::operation::put_key_policy::PutKeyPolicyError;

    fn refused(code: &str, message: &str, request: &str) -> Error {
        let metadata = ErrorMetadata::builder()
            .code(code)
            .message(message)
            .custom("aws_request_id", request)
            .build();
        let error = SdkError::service_error(PutKeyPolicyError::generic(metadata), ());
        Error::new("kms:PutKeyPolicy", &error)
    }

    #[test]
    fn a_refusal_is_one_line_without_what_names_the_request() {
        let said = "User: arn:aws:iam::1:role/r is not authorized to perform: kms:PutKeyPolicy. (Service: Kms, Status Code: 400, Request ID: ";
        let first = refused("AccessDeniedException", &format!("{said}1)"), "1").to_string();
        let second = refused("AccessDeniedException", &format!("{said}2)\n at"), "2").to_string();
        assert_eq!(first, second);
        assert_eq!(
            first,
            "kms:PutKeyPolicy failed with AccessDeniedException (User: arn:aws:iam::1:role/r is not authorized to perform: kms:PutKeyPolicy)"
        );
    }

    #[test]
    fn a_message_with_a_date_is_not_shown() {
        let error = refused(
            "InvalidSignatureException",
            "20261125T110000Z is too early",
            "1",
        );
        assert!(!format!("{error}{error:?}").contains("2026"), "{error}");
        let later = refused(
            "InvalidSignatureException",
            "20261126T110000Z is too early",
            "2",
        );
        assert_eq!(error, later);
        assert!(error.detail().contains("2026"));
        assert!(!error.passes());
    }

    #[test]
    fn throttling_passes_by_itself() {
        let error = refused("ThrottlingException", "Rate exceeded", "1");
        assert!(error.passes() && !error.may_have_arrived());
    }

    #[test]
    fn only_a_word_that_is_an_id_goes() {
        assert_eq!(
            stable(
                "key/0123abcd-0123-0123-0123-0123456789ab of 0123abcd-0123-0123-0123-0123456789ab."
            ),
            "key/0123abcd-0123-0123-0123-0123456789ab of"
        );
    }
}
