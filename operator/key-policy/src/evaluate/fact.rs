//! What is known of one condition key.

use std::borrow::Cow;

/// What is known of one condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Its values; with none the key is absent.
    Values(Cow<'a, [String]>),
    /// It is there, with a value that is not known.
    Present,
    /// Whether it is there is not known either.
    Unknown,
}

impl Fact<'_> {
    /// An absent key.
    pub(super) const ABSENT: Self = Self::Values(Cow::Borrowed(&[]));

    /// One value.
    pub(super) fn one(value: impl Into<String>) -> Self {
        Self::Values(vec![value.into()].into())
    }
}
