//! What can be wrong with bytes that should be one of the project's formats.

use std::fmt;

/// Why bytes are not what they should be, or a value cannot be written as bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Made by a later version, or something else altogether.
    #[error("{document}: version {found}, this build reads version {known}")]
    Version {
        /// Which format, such as `sealed blob, inner layer`.
        document: &'static str,
        /// The version byte.
        found: u8,
        /// The versions that are read, such as `1` or `1 and 2`.
        known: &'static str,
    },
    /// The bytes end inside a field.
    #[error("{document}: the bytes end inside {field}; it was cut short")]
    Truncated {
        /// Which format.
        document: &'static str,
        /// Name as in the format's page.
        field: &'static str,
    },
    /// Bytes follow after the last field.
    #[error("{document}: {more} bytes follow the last field; it was appended to")]
    Trailing {
        /// Which format.
        document: &'static str,
        /// How many.
        more: usize,
    },
    /// A field's value is outside of what the format allows.
    #[error("{document}, {field}: {found}; allowed: {allowed}")]
    Field {
        /// Which format.
        document: &'static str,
        /// Name as in the format's page.
        field: &'static str,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The cryptographic library refused; does not happen with inputs of these lengths.
    #[error("{document}: the cryptographic library failed")]
    Crypto {
        /// Which format.
        document: &'static str,
    },
}

impl FormatError {
    /// A [`FormatError::Field`].
    pub fn field(
        document: &'static str,
        field: &'static str,
        found: impl fmt::Display,
        allowed: &'static str,
    ) -> Self {
        Self::Field {
            document,
            field,
            found: found.to_string(),
            allowed,
        }
    }
}
