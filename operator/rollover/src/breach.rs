//! A law that is not kept.

/// A law that an action would break.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// Number of the law.
    pub law: u8,
    /// What would be broken, and by what.
    pub message: String,
}
