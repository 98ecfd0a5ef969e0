//! Why a spec cannot be used.

use rollover::Reason;

/// A field of the spec that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Why, in one word.
    pub reason: Reason,
    /// Field, what was found, and the cure.
    pub message: String,
}

impl Fault {
    /// A field that the schema or its rules should have refused.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            reason: Reason::InvalidSpec,
            message: message.into(),
        }
    }
}
