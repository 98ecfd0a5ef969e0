//! A key as read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use key_policy::{Finding, Policy};

use crate::{Reason, Share};

/// A key: the share that it wraps, and its last reading.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// What the spec says of it.
    pub share: &'a Share,
    /// The last reading.
    pub reading: &'a Reading,
}

/// The last readings, by ARN: a key that is missing here was not read since the operator started.
pub type Readings = BTreeMap<String, Reading>;

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
    Facts(Arc<KeyFacts>),
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
    /// What KMS says of the key beside its policy, where it was asked.
    pub described: Option<key_policy::KeyFacts>,
}

impl KeyFacts {
    /// What speaks against the key beside its policy. It is told, and stops nothing.
    pub fn findings(&self) -> Vec<Finding> {
        let described = self.described.as_ref();
        described.map(key_policy::lint_key).unwrap_or_default()
    }
}

/// Key state, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Anything else, in KMS's word (Disabled, `PendingDeletion`, ...).
    Other(String),
}
