//! One KMS key: what operator and command line read and write of it, and why a call failed.
//!
//! One call of KMS (or all pages of one list) each. When and how many at once is the caller's, and how often it is tried, too, but
//! for `PutKeyPolicy`, which is sent once.

mod error;
mod list;
mod read;
mod sign;
mod write;

pub use error::{Error, is_denied};
pub use list::{Listed, lists};
pub use read::facts;
pub use write::create;

use aws_sdk_kms::Client;

/// A key, and the client that asks for it: of the key's Region.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// The client.
    pub client: Client,
}

#[cfg(test)]
mod tests;
