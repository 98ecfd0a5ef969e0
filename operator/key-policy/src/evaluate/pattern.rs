//! Patterns with `*` and `?`, and policy variables in them.

use std::collections::BTreeMap;

/// One piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Any characters, also none.
    Star,
    /// Any one character.
    One,
    /// This character.
    Exactly(char),
}

/// A pattern that was read once.
pub struct Pattern(Vec<Token>);

impl Pattern {
    /// A pattern without variables.
    pub fn plain(text: &str) -> Self {
        Self(text.chars().map(token).collect())
    }

    /// A pattern whose `${key}` are replaced by what the request has; `None` where it lacks one.
    ///
    /// Source: IAM user guide, "IAM policy elements: Variables and tags". What a variable brings in
    /// is taken literally, and `${*}`, `${?}` and `${$}` stand for these characters.
    pub fn with_variables(text: &str, context: &BTreeMap<String, Vec<String>>) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, behind)) = after.split_once('}') else {
                break;
            };
            tokens.extend(before.chars().map(token));
            tokens.extend(value(variable, context)?.chars().map(Token::Exactly));
            rest = behind;
        }
        tokens.extend(rest.chars().map(token));
        Some(Self(tokens))
    }

    /// The text that the pattern is when its stars are only stars.
    pub fn literal(&self) -> String {
        let character = |token: &Token| match token {
            Token::Star => '*',
            Token::One => '?',
            Token::Exactly(character) => *character,
        };
        self.0.iter().map(character).collect()
    }

    /// The parts between a separator, `most` at most. The separator never is a wildcard.
    pub fn split(&self, separator: char, most: usize) -> Vec<Self> {
        let parts = self
            .0
            .splitn(most, |token| *token == Token::Exactly(separator));
        parts.map(|part| Self(part.to_vec())).collect()
    }

    /// Whether it matches the whole text. Time is at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let star = |token: &Token| *token == Token::Star;
        let fits = |token: &Token, character: &char| match token {
            Token::Star => false,
            Token::One => true,
            Token::Exactly(expected) => expected == character,
        };
        whole(&self.0, &text, star, fits)
    }
}

/// Whether a pattern of pieces matches all of a text: where a piece does not fit, the last star takes one more.
fn whole<P, T>(
    pattern: &[P],
    text: &[T],
    star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(piece) if star(piece) => {
                last = Some((p, t));
                p += 1;
            }
            Some(piece) if fits(piece, &text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match last {
                Some((at, taken)) => {
                    last = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(star)
}

/// Whether a pattern matches a text, whatever the case of both.
pub fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    if text.is_ascii() {
        return ascii_matches(pattern.as_bytes(), text.as_bytes());
    }
    Pattern::plain(&pattern.to_ascii_lowercase()).matches(&text.to_ascii_lowercase())
}

/// The same without allocation, as names of actions are compared all the time. A character of the
/// text is a byte; bytes of other characters in the pattern equal none.
fn ascii_matches(pattern: &[u8], text: &[u8]) -> bool {
    let fits = |piece: &u8, byte: &u8| *piece == b'?' || piece.eq_ignore_ascii_case(byte);
    whole(pattern, text, |piece| *piece == b'*', fits)
}

fn token(character: char) -> Token {
    match character {
        '*' => Token::Star,
        '?' => Token::One,
        other => Token::Exactly(other),
    }
}

/// The value of `key` or of `key, 'default'`. Keys with several values are no variables.
fn value(variable: &str, context: &BTreeMap<String, Vec<String>>) -> Option<String> {
    if matches!(variable, "*" | "?" | "$") {
        return Some(variable.to_owned());
    }
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => (key, Some(default)),
        None => (variable, None),
    };
    match context
        .get(&key.trim().to_ascii_lowercase())
        .map(Vec::as_slice)
    {
        Some([one]) => Some(one.clone()),
        Some([_, _, ..]) => None,
        Some([]) | None => {
            let quoted = default?.trim();
            let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
            Some(inner.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_of_matching_agree(pattern in "[aBk\u{212a}*?:]{0,8}", text in "[AbK:]{0,8}") {
            let slow = Pattern::plain(&pattern.to_ascii_lowercase()).matches(&text.to_ascii_lowercase());
            prop_assert_eq!(matches_ignoring_case(&pattern, &text), slow);
        }
    }
}
