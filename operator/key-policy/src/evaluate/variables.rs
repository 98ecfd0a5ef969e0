//! What the variables of a pattern have to be for it to match a text, and what it is where they are invented.

use std::ops::Range;

use super::condition::Facts;
use super::pattern::{Pattern, Token, Value, key_and_default, token, value};

/// Pieces of a pattern and characters of a text, multiplied, up to which they are compared.
const MOST: usize = 1 << 15;

/// A piece of a pattern.
enum Piece<'a> {
    /// What is known of it.
    Known(Vec<Token>),
    /// A variable of which the value is not known.
    Open {
        key: &'a str,
        default: Option<String>,
    },
}

/// A pattern with variables of which some are not known.
#[derive(Clone, Copy)]
pub struct WithVariables<'a> {
    /// As the policy writes it.
    pub pattern: &'a str,
    /// What is known.
    pub facts: Facts<'a>,
    /// Whether it is compared with an operator that takes wildcards.
    pub wildcards: bool,
}

impl<'a> WithVariables<'a> {
    /// `None` where the request lacks a variable: then nothing matches.
    fn pieces(&self) -> Option<Vec<Piece<'a>>> {
        let token = if self.wildcards {
            token
        } else {
            Token::Exactly
        };
        let plain = |text: &str| Piece::Known(text.chars().map(token).collect());
        let mut pieces = Vec::new();
        let mut rest = self.pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, behind)) = after.split_once('}') else {
                break;
            };
            pieces.push(plain(before));
            pieces.push(match value(variable, |key| self.facts.fact(key)) {
                Value::Known(text) => Piece::Known(text.chars().map(Token::Exactly).collect()),
                Value::Missing => return None,
                Value::Unknown => {
                    let (key, default) = key_and_default(variable);
                    Piece::Open { key, default }
                }
            });
            rest = behind;
        }
        pieces.push(plain(rest));
        Some(pieces)
    }

    /// Values of an unknown variable with which it matches a text, whatever its other unknown variables are.
    pub fn fitting(&self, variable: &str, text: &str) -> Vec<String> {
        let Some(pieces) = self.pieces() else {
            return Vec::new();
        };
        let is_it = |piece: &Piece<'_>| matches!(piece, Piece::Open { key, .. } if key.eq_ignore_ascii_case(variable));
        let Some(at) = pieces.iter().position(is_it) else {
            return Vec::new();
        };
        let text: Vec<char> = text.chars().collect();
        let tokens = |range: Range<usize>| -> Vec<Token> {
            let each = pieces[range].iter().map(|piece| match piece {
                Piece::Known(tokens) => tokens.clone(),
                Piece::Open { .. } => vec![Token::Star],
            });
            each.flatten().collect()
        };
        let (before, mut behind) = (tokens(0..at), tokens(at + 1..pieces.len()));
        if (before.len() + behind.len()).saturating_mul(text.len()) > MOST {
            return Vec::new();
        }
        let starts = lengths(&before, text.iter().copied());
        behind.reverse();
        let ends = lengths(&behind, text.iter().rev().copied());
        let mut found = Vec::new();
        for start in ends_of(&starts) {
            for end in ends_of(&ends).map(|end| text.len() - end) {
                let one: Option<String> = text.get(start..end).map(|one| one.iter().collect());
                found.extend(one.filter(|one| !one.is_empty() && !found.contains(one)));
            }
        }
        found
    }

    /// What it matches whatever its unknown variables are: each is a text that is not empty.
    pub fn opened(&self) -> Option<Pattern> {
        let tokens = |piece: Piece<'_>| match piece {
            Piece::Known(tokens) => tokens,
            Piece::Open { .. } => vec![Token::One, Token::Star],
        };
        let pieces = self.pieces()?.into_iter();
        Some(Pattern::of(pieces.flat_map(tokens).collect()))
    }

    /// A text that it matches where its unknown variables are what is said of each (by key and default).
    pub fn instance(&self, of: impl Fn(&str, Option<String>) -> String) -> Option<String> {
        let text = |piece: Piece<'_>| match piece {
            Piece::Known(tokens) => Pattern::of(tokens).example("x", 'x'),
            Piece::Open { key, default } => of(key, default),
        };
        Some(self.pieces()?.into_iter().map(text).collect())
    }
}

/// The first and the last.
fn ends_of(lengths: &[usize]) -> impl Iterator<Item = usize> {
    let (first, last) = (lengths.first(), lengths.last());
    let last = last.filter(|_| lengths.len() > 1);
    first.into_iter().chain(last).copied()
}

/// How long the beginnings of a text are that a pattern matches.
fn lengths(pattern: &[Token], text: impl Iterator<Item = char>) -> Vec<usize> {
    let text: Vec<char> = text.collect();
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for token in pattern {
        let mut next = vec![false; text.len() + 1];
        next[0] = row[0] && *token == Token::Star;
        for (index, character) in text.iter().enumerate() {
            next[index + 1] = match token {
                Token::Star => next[index] || row[index + 1],
                Token::One => row[index],
                Token::Exactly(expected) => row[index] && expected == character,
            };
        }
        row = next;
    }
    let matched = row.iter().enumerate().filter(|(_, matched)| **matched);
    matched.map(|(length, _)| length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policy;
    use crate::evaluate::Context;

    #[test]
    fn a_variable_is_what_stands_between_its_neighbours() {
        let policy = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#).unwrap();
        let mut context = Context::open();
        context.set("aws:username", ["u*"]);
        let facts = Facts::of(&policy, "kms:Decrypt", &context);
        for (pattern, variable, text, values) in [
            ("app-${t:a}", "t:a", "app-web", &["web"][..]),
            ("app-${T:A}!", "t:a", "app-web!", &["web"]),
            ("app-${t:a}", "t:a", "web", &[]),
            ("${t:a}-*", "t:a", "a-b-c", &["a-b", "a"]),
            ("*-${t:a}", "t:a", "a-b-c", &["b-c", "c"]),
            ("${t:b}-${t:c}", "t:c", "x-y", &["y"]),
            ("${t:b}-${t:c}", "t:b", "x-y", &["x"]),
            ("${aws:username}/${t:a}", "t:a", "u*/z", &["z"]),
            ("${aws:username}/${t:a}", "t:a", "ux/z", &[]),
            ("a${t:a}", "t:a", "a", &[]),
            ("a", "t:a", "a", &[]),
        ] {
            let pattern = WithVariables {
                pattern,
                facts,
                wildcards: true,
            };
            let mut found = pattern.fitting(variable, text);
            found.sort();
            let mut values = values.to_vec();
            values.sort_unstable();
            assert_eq!(found, values, "{} {text}", pattern.pattern);
        }
        let long = "a".repeat(MOST + 1);
        let pattern = WithVariables {
            pattern: "a${t:a}",
            facts,
            wildcards: true,
        };
        assert!(pattern.fitting("t:a", &long).is_empty());
    }
}
