//! A key as read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use key_policy::Policy;

use crate::Reason;

/// A key as read.
#[derive(Clone, Debug)]
pub struct Key {
    /// The last reading.
    pub reading: Reading,
}

/// What reading a key gave.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Not read since the operator started.
    Unread,
    /// It could not be read.
    Failed {
        /// When that was tried.
        read_at: Timestamp,
        /// `KeyNotFound` or `KeyUnreadable`.
        reason: Reason,
        /// What KMS or STS said.
        message: String,
    },
    /// It was read.
    Facts(Box<KeyFacts>),
}

/// What a key says of itself.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// When the reading began.
    pub read_at: Timestamp,
    /// Key state.
    pub state: KeyState,
    /// The default policy, or why its text is none.
    pub policy: Result<Policy, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Key state, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Anything else, in KMS's word (Disabled, `PendingDeletion`, ...).
    Other(String),
}
