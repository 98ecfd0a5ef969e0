//! What the search looks for.

/// A law that was broken, or another fault of the planner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the law; 0 is another fault.
    pub law: u8,
    /// What happened.
    pub message: String,
}

impl Violation {
    /// One of a law.
    pub fn of(law: u8, message: impl Into<String>) -> Self {
        Self {
            law,
            message: message.into(),
        }
    }
}
