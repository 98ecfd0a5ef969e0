//! How much a policy binds.

/// How much a policy binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The five statements.
    #[default]
    Standard,
    /// The five statements, and a Deny for every measurement that is not admitted.
    Pinned,
}
