//! Whether one pattern matches all that another does, or nothing of it, and texts that both match.

use super::pattern::{Pattern, Token};
use super::wildcard::whole;

/// Pieces of two patterns, multiplied, up to which they are compared.
const MOST: usize = 1 << 14;

/// Whether every text that `inner` matches is one of `outer`'s. Where patterns are long, `false` proves nothing.
pub fn contains(outer: &Pattern, inner: &Pattern) -> bool {
    let (outer, inner) = (in_order(outer), in_order(inner));
    let star = |token: &Token| *token == Token::Star;
    // A star of the inner one is texts of any length, which nothing but a star takes.
    let fits = |outer: &Token, inner: &Token| match outer {
        Token::Star => false,
        Token::One => *inner != Token::Star,
        Token::Exactly(_) => outer == inner,
    };
    is_short(&outer, &inner) && whole(&outer, &inner, star, fits)
}

/// Whether no text is one of both's.
pub fn apart(one: &Pattern, other: &Pattern) -> bool {
    is_short(one.tokens(), other.tokens()) && Both::of(one, other).is_nothing()
}

/// A text that both match; what neither says becomes this character.
pub fn common(one: &Pattern, other: &Pattern, fill: char) -> Option<String> {
    let short = is_short(one.tokens(), other.tokens());
    short.then(|| Both::of(one, other).text(fill)).flatten()
}

fn is_short(one: &[Token], other: &[Token]) -> bool {
    one.len().saturating_mul(other.len()) <= MOST
}

/// The same pattern: in each run of wildcards the star is the last, and the only one.
fn in_order(pattern: &Pattern) -> Vec<Token> {
    let mut ordered = Vec::with_capacity(pattern.tokens().len());
    let mut star = false;
    for token in pattern.tokens() {
        match token {
            Token::Star => star = true,
            Token::One => ordered.push(Token::One),
            exactly @ Token::Exactly(_) => {
                ordered.extend(star.then_some(Token::Star));
                star = false;
                ordered.push(*exactly);
            }
        }
    }
    ordered.extend(star.then_some(Token::Star));
    ordered
}

/// What two patterns match together.
struct Both<'a> {
    one: &'a [Token],
    other: &'a [Token],
    /// Whether what is left of both from here has a common text, by row.
    rest: Vec<bool>,
}

/// How a common text goes on: with a character that both take (no star), or none, and how far both patterns are then.
struct Step {
    taken: Option<Token>,
    to: (usize, usize),
}

impl<'a> Both<'a> {
    fn of(one: &'a Pattern, other: &'a Pattern) -> Self {
        let (one, other) = (one.tokens(), other.tokens());
        let mut both = Self {
            one,
            other,
            rest: vec![false; (one.len() + 1) * (other.len() + 1)],
        };
        for i in (0..=one.len()).rev() {
            for j in (0..=other.len()).rev() {
                let ends = (i, j) == (one.len(), other.len());
                let at = both.index(i, j);
                both.rest[at] = ends || both.step(i, j).is_some();
            }
        }
        both
    }

    fn index(&self, i: usize, j: usize) -> usize {
        i * (self.other.len() + 1) + j
    }

    fn is_nothing(&self) -> bool {
        !self.rest[0]
    }

    /// A step after which there is a common text; the shortest first: a star that takes nothing.
    fn step(&self, i: usize, j: usize) -> Option<Step> {
        let (one, other) = (self.one.get(i), self.other.get(j));
        let skip = |to| Step { taken: None, to };
        let take = |token: &Token, to| Step {
            taken: Some(*token),
            to,
        };
        let both = match (one, other) {
            (Some(Token::Star), Some(Token::Star)) | (None, _) | (_, None) => None,
            (Some(Token::Star), Some(token)) => Some(take(token, (i, j + 1))),
            (Some(token), Some(Token::Star)) => Some(take(token, (i + 1, j))),
            (Some(Token::One), Some(token)) => Some(take(token, (i + 1, j + 1))),
            (Some(token), Some(other)) => {
                let alike = *other == Token::One || token == other;
                alike.then(|| take(token, (i + 1, j + 1)))
            }
        };
        let is_star = |token| token == Some(&Token::Star);
        let steps = [
            is_star(one).then(|| skip((i + 1, j))),
            is_star(other).then(|| skip((i, j + 1))),
            both,
        ];
        let goes_on = |step: &Step| self.rest[self.index(step.to.0, step.to.1)];
        steps.into_iter().flatten().find(goes_on)
    }

    fn text(&self, fill: char) -> Option<String> {
        if self.is_nothing() {
            return None;
        }
        let mut text = String::new();
        let mut at = (0, 0);
        while let Some(step) = self.step(at.0, at.1) {
            text.extend(step.taken.map(|token| match token {
                Token::Exactly(character) => character,
                Token::One | Token::Star => fill,
            }));
            at = step.to;
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_contain_meet_or_exclude_each_other() {
        for (outer, inner, holds) in [
            ("*", "a*", true),
            ("a*", "ab*", true),
            ("ab*", "a*", false),
            ("*?", "?*", true),
            ("?*", "*", false),
            ("a?*", "a*", false),
            ("*b*", "a?b", true),
            ("a*a", "a", false),
            ("**", "*", true),
        ] {
            let (outer, inner) = (Pattern::plain(outer), Pattern::plain(inner));
            assert_eq!(
                contains(&outer, &inner),
                holds,
                "{} {}",
                outer.literal(),
                inner.literal()
            );
        }
        for (one, other, text) in [
            ("*a*", "*b*", Some("ab")),
            ("?pce", "x*", Some("xpce")),
            ("a*", "b*", None),
            ("a?*", "??c", Some("azc")),
            ("*", "*", Some("")),
            ("?", "", None),
        ] {
            let found = common(&Pattern::plain(one), &Pattern::plain(other), 'z');
            assert_eq!(found.as_deref(), text, "{one} {other}");
        }
        let long = Pattern::plain(&"a".repeat(200));
        assert!(
            !apart(&long, &long) && !contains(&long, &long) && common(&long, &long, 'x').is_none()
        );
    }

    proptest! {
        #[test]
        fn what_is_said_of_two_patterns_is_so_of_texts(one in "[ab*?]{0,5}", other in "[ab*?]{0,5}", text in "[abc]{0,6}") {
            let (one, other) = (Pattern::plain(&one), Pattern::plain(&other));
            let (by_one, by_other) = (one.matches(&text), other.matches(&text));
            if contains(&one, &other) {
                prop_assert!(by_one || !by_other);
            }
            prop_assert_eq!(apart(&one, &other), common(&one, &other, 'c').is_none());
            if apart(&one, &other) {
                prop_assert!(!(by_one && by_other));
            }
            if let Some(both) = common(&one, &other, 'c') {
                prop_assert!(one.matches(&both) && other.matches(&both), "{}", both);
            }
        }
    }
}
