//! What a value of a request is compared with: a value of a policy.

use std::borrow::Cow;

use super::pattern::Pattern;
use super::wildcard::whole;

/// One value of a policy. Nearly all have no variable, and are compared as they are written: nothing is made of them.
pub enum Wanted<'a> {
    /// As it is written.
    Plain(&'a str),
    /// With its variables replaced.
    Replaced(Pattern),
}

impl Wanted<'_> {
    /// The text that it is when its stars are only stars.
    pub fn literal(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Replaced(pattern) => Cow::Owned(pattern.literal()),
        }
    }

    /// Whether it matches the whole text, its stars being wildcards. Time is at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            // A character of the text is a byte; bytes of other characters in the pattern equal none.
            Self::Plain(pattern) if text.is_ascii() => whole(
                pattern.as_bytes(),
                text.as_bytes(),
                |piece| *piece == b'*',
                |piece, byte| *piece == b'?' || piece == byte,
            ),
            Self::Plain(pattern) => Pattern::plain(pattern).matches(text),
            Self::Replaced(pattern) => pattern.matches(text),
        }
    }

    /// The parts between a separator, `most` at most. The separator never is a wildcard.
    pub fn split(&self, separator: char, most: usize) -> Vec<Wanted<'_>> {
        match self {
            Self::Plain(text) => text.splitn(most, separator).map(Wanted::Plain).collect(),
            Self::Replaced(pattern) => {
                let parts = pattern.split(separator, most).into_iter();
                parts.map(Wanted::Replaced).collect()
            }
        }
    }

    /// The same as pieces.
    pub fn into_pattern(self) -> Pattern {
        match self {
            Self::Plain(text) => Pattern::plain(text),
            Self::Replaced(pattern) => pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_value_matches_as_its_pieces_do(pattern in "[ab\u{e4}*?:]{0,6}", text in "[ab\u{e4}:]{0,6}") {
            let pieces = || Pattern::plain(&pattern);
            let (plain, replaced) = (Wanted::Plain(&pattern), Wanted::Replaced(pieces()));
            prop_assert_eq!(plain.matches(&text), replaced.matches(&text));
            prop_assert_eq!(plain.literal(), replaced.literal());
            let parts = |wanted: &Wanted<'_>| -> Vec<String> {
                wanted.split(':', 3).iter().map(|part| part.literal().into_owned()).collect()
            };
            prop_assert_eq!(parts(&plain), parts(&replaced));
            let (one, other) = (plain.into_pattern(), pieces());
            prop_assert_eq!(one.tokens(), other.tokens());
        }
    }
}
