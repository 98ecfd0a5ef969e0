//! What the variables of a pattern have to be for it to match a text, and what it is where they are invented.

use std::borrow::Cow;
use std::ops::Range;

use super::condition::Facts;
use super::outcomes::takes_wildcards;
use super::pattern::{
    Pattern, Resolved, Token, Value, has_variable, key_and_default, token, value,
};
use crate::statement::Condition;

/// Pieces of a pattern and characters of a text, multiplied, up to which they are compared.
const MOST: usize = 1 << 15;

/// Values of a variable that are compared.
const MOST_VALUES: usize = 64;

/// A condition whose variables are replaced, as far as they are known. A value with one that the request lacks matches nothing.
pub fn resolved<'a>(condition: &'a Condition, facts: Facts<'_>) -> Cow<'a, Condition> {
    if !facts.has_variables() || !condition.values.iter().any(|value| has_variable(value)) {
        return Cow::Borrowed(condition);
    }
    let value = |value: &String| match facts.wanted(value) {
        Resolved::Missing => None,
        Resolved::Unknown => Some(value.clone()),
        Resolved::Known(wanted) => {
            let pattern = wanted.into_pattern();
            let text = pattern.literal();
            // What a variable brings in is no wildcard, and cannot be written as none.
            let alike = Pattern::plain(&text).tokens() == pattern.tokens();
            Some(if alike || !takes_wildcards(condition) {
                text
            } else {
                value.clone()
            })
        }
    };
    Cow::Owned(Condition {
        values: condition.values.iter().filter_map(value).collect(),
        ..condition.clone()
    })
}

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

    /// Values of an unknown variable with which it matches a text, whatever its other unknown variables are: of where it
    /// may begin and where it may end, the first and the last.
    pub fn fitting(&self, variable: &str, text: &str) -> Vec<String> {
        let text: Vec<char> = text.chars().collect();
        let Some((starts, ends)) = self.places(variable, &text) else {
            return Vec::new();
        };
        let outer = |all: &[usize]| -> Vec<usize> {
            let both = all.first().into_iter().chain(all.last());
            both.copied().collect()
        };
        let mut found = Vec::new();
        for one in between(&text, &outer(&starts), &outer(&ends)) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }

    /// Where a text may begin and where it may end that an unknown variable is; `None` where that is too much to look at.
    fn places(&self, variable: &str, text: &[char]) -> Option<(Vec<usize>, Vec<usize>)> {
        let pieces = self.pieces()?;
        let is_it = |piece: &Piece<'_>| matches!(piece, Piece::Open { key, .. } if key.eq_ignore_ascii_case(variable));
        let at = pieces.iter().position(is_it)?;
        let tokens = |range: Range<usize>| -> Vec<Token> {
            let each = pieces[range].iter().map(|piece| match piece {
                Piece::Known(tokens) => tokens.clone(),
                Piece::Open { .. } => vec![Token::Star],
            });
            each.flatten().collect()
        };
        let (before, mut behind) = (tokens(0..at), tokens(at + 1..pieces.len()));
        if (before.len() + behind.len()).saturating_mul(text.len()) > MOST {
            return None;
        }
        let starts = lengths(&before, text.iter().copied());
        behind.reverse();
        let ends = lengths(&behind, text.iter().rev().copied()).into_iter();
        Some((starts, ends.map(|end| text.len() - end).collect()))
    }

    /// The only unknown variable, with all its values with which it matches a text; `None` where there are more of either.
    pub fn comparison(&self, text: &str) -> Option<Condition> {
        let pieces = self.pieces()?;
        let open = |piece: &Piece<'a>| match piece {
            Piece::Open { key, .. } => Some(*key),
            Piece::Known(_) => None,
        };
        let mut keys = pieces.iter().filter_map(open);
        let (key, None) = (keys.next()?, keys.next()) else {
            return None;
        };
        let text: Vec<char> = text.chars().collect();
        let (starts, ends) = self.places(key, &text)?;
        let mut values = Vec::new();
        for one in between(&text, &starts, &ends) {
            if !values.contains(&one) {
                values.push(one);
            }
            if values.len() > MOST_VALUES {
                return None;
            }
        }
        Some(Condition {
            operator: "StringEquals".to_owned(),
            key: key.to_owned(),
            values,
        })
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

/// What stands between these places of a text, but where that is nothing.
fn between(text: &[char], starts: &[usize], ends: &[usize]) -> impl Iterator<Item = String> {
    let pairs = starts
        .iter()
        .flat_map(|start| ends.iter().map(|end| (*start, *end)));
    let found = pairs.filter_map(|(start, end)| text.get(start..end));
    found
        .filter(|one| !one.is_empty())
        .map(|one| one.iter().collect())
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
            ("a*-${t:a}", "t:a", "a-b", &["b"]),
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
