//! Why a call about a key failed: one line, which says the same as long as the same goes wrong.

use std::fmt;

use rollover::Reason;

/// A call to KMS or STS about one key that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Name of the share whose key it is.
    pub share: String,
    /// Why.
    pub cause: kms_key::Error,
}

impl Error {
    /// Why a call failed for this share's key.
    pub fn of(share: &str) -> impl FnOnce(kms_key::Error) -> Self {
        |cause| Self {
            share: share.to_owned(),
            cause,
        }
    }

    /// `KeyNotFound` or `KeyUnreadable`.
    pub fn reason(&self) -> Reason {
        match self.cause.code.as_str() {
            "NotFoundException" => Reason::KeyNotFound,
            _ => Reason::KeyUnreadable,
        }
    }

    fn cure(&self) -> &'static str {
        if self.cause.passes() {
            return "It is tried again by itself";
        }
        if self.cause.failed == "sts:AssumeRole" {
            return "Check assumeRoleArn, and that the role's trust lets this operator assume it with the external id that status.externalId shows";
        }
        match self.cause.code.as_str() {
            kms_key::Error::NO_CREDENTIALS => {
                "Give the operator's ServiceAccount a role (IRSA or Pod Identity)"
            }
            "NotFoundException" => "Correct the ARN in spec.keys.shares",
            "AccessDenied" | "AccessDeniedException" => {
                "Allow the call to the role in the key's policy and in the role's own policies"
            }
            "DisabledException" | "KMSInvalidStateException" => {
                "Enable the key, or cancel its deletion"
            }
            "LimitExceededException" => {
                "Make room: a policy has at most 32 KiB, a key at most 50 tags"
            }
            "MalformedPolicyDocumentException" => {
                "Look for a deleted principal in the policy's statements, also in those of others: KMS takes no policy with one"
            }
            "TagException" => "Remove tags that AWS reserves",
            _ => "Look the code up in the KMS API reference",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (share, cause) = (&self.share, &self.cause);
        write!(f, "key {share}: {cause}. {}", self.cure())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_needs_no_cure() {
        let error = Error::of("b")(kms_key::Error::no_answer("kms:GetKeyPolicy"));
        let line = "key b: kms:GetKeyPolicy failed with NoAnswer. It is tried again by itself";
        assert_eq!(error.to_string(), line);
    }
}
