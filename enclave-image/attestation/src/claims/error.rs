//! What can be wrong with claims.

/// Why bytes are no claims, or claims cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Another use of `user_data`.
    #[error("claims: user_data does not begin with \"chamber.dev/attestation\" and a zero byte")]
    NotOurs,
    /// Made by a later version.
    #[error("claims: version {found}, this build reads version 1; use a newer build")]
    Version {
        /// The version byte.
        found: u8,
    },
    /// A purpose that this version does not have.
    #[error("claims, purpose: {found}; allowed: 1 (seal), 2 (rewrap), 3 (gate), 4 (probe)")]
    Purpose {
        /// The purpose byte.
        found: u8,
    },
    /// The bytes end inside a field.
    #[error("claims: the bytes end inside {field}")]
    Truncated {
        /// Name as in `docs/attestation.md`.
        field: &'static str,
    },
    /// Bytes follow after the last field.
    #[error("claims: {0} bytes follow the last field")]
    Trailing(usize),
    /// A field's value is outside of what the format allows.
    #[error("claims, {field}: {found}; allowed: {allowed}")]
    Field {
        /// Name as in `docs/attestation.md`.
        field: &'static str,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
}
