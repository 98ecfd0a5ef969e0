//! What can be wrong with claims.

use wire_format::FormatError;

/// Why bytes are no claims, or claims cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Another use of `user_data`.
    #[error("claims: user_data does not begin with \"chamber.dev/attestation\" and a zero byte")]
    NotOurs,
    /// Made by a later version, cut short, or with a value that the format does not have.
    #[error(transparent)]
    Format(#[from] FormatError),
}
