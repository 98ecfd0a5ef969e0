//! What a refused call answers: code, text, HTTP status (notes on the wire form: AWS's KMS API reference).

/// A refusal, in KMS's and STS's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", message.as_deref().unwrap_or("(no message)"))]
pub(crate) struct ApiError {
    /// The exception's name, such as `AccessDeniedException`.
    pub code: String,
    /// The text; `InvalidCiphertextException` has none.
    pub message: Option<String>,
    /// The HTTP status.
    pub status: u16,
}

impl ApiError {
    /// A fault of the caller: status 400.
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: Some(message.into()),
            status: 400,
        }
    }

    /// `AccessDeniedException`.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::client("AccessDeniedException", message)
    }

    /// `ValidationException` with a free text.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationException", message)
    }

    /// `ValidationException` in the wording of the request model.
    pub fn constraint(value: &str, member: &str, must: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: Member must {must}"
        ))
    }

    /// `ValidationException` for a member that has to be there.
    pub fn missing(member: &str) -> Self {
        Self::constraint("null", member, "not be null")
    }

    /// `InvalidCiphertextException`, which carries no message.
    pub fn invalid_ciphertext() -> Self {
        Self {
            code: "InvalidCiphertextException".to_owned(),
            message: None,
            status: 400,
        }
    }

    /// `KMSInternalException`: the emulator itself failed.
    pub fn internal(what: &str) -> Self {
        Self {
            code: "KMSInternalException".to_owned(),
            message: Some(what.to_owned()),
            status: 500,
        }
    }

    /// An error by its code alone, as asked for by a knob.
    pub fn injected(code: &str) -> Self {
        let status = match code {
            "KMSInternalException"
            | "DependencyTimeoutException"
            | "KeyUnavailableException"
            | "InternalFailure" => 500,
            "ServiceUnavailableException" | "ServiceUnavailable" => 503,
            _ => 400,
        };
        let message = match code {
            "InvalidCiphertextException" => None,
            "ThrottlingException" => {
                Some("You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.".to_owned())
            }
            _ => Some(format!("{code}, asked for by the emulator's knobs.")),
        };
        Self {
            code: code.to_owned(),
            message,
            status,
        }
    }
}
