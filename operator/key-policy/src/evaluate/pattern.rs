//! Patterns with `*` and `?`, and policy variables in them.

use super::fact::Fact;
use super::truth::Truth;
use super::wildcard::whole;

/// One piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Any characters, also none.
    Star,
    /// Any one character.
    One,
    /// This character.
    Exactly(char),
}

/// A pattern that was read once.
pub struct Pattern(Vec<Token>);

/// Something with its variables replaced.
pub enum Resolved<T> {
    /// All of them are known.
    Known(T),
    /// The request lacks one.
    Missing,
    /// Whether the request has one, or with which value, is not known.
    Unknown,
}

impl Pattern {
    /// A pattern without variables.
    pub fn plain(text: &str) -> Self {
        Self(text.chars().map(token).collect())
    }

    /// A pattern of these pieces.
    pub fn of(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// Its pieces.
    pub fn tokens(&self) -> &[Token] {
        &self.0
    }

    /// A pattern whose `${key}` are replaced by what the request has.
    ///
    /// Source: IAM user guide, "IAM policy elements: Variables and tags". What a variable brings in
    /// is taken literally, and `${*}`, `${?}` and `${$}` stand for these characters.
    pub fn with_variables<'a>(text: &str, fact: impl Fn(&str) -> Fact<'a>) -> Resolved<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        let mut unknown = false;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, behind)) = after.split_once('}') else {
                break;
            };
            tokens.extend(before.chars().map(token));
            match value(variable, &fact) {
                Value::Known(text) => tokens.extend(text.chars().map(Token::Exactly)),
                Value::Missing => return Resolved::Missing,
                Value::Unknown => unknown = true,
            }
            rest = behind;
        }
        if unknown {
            return Resolved::Unknown;
        }
        tokens.extend(rest.chars().map(token));
        Resolved::Known(Self(tokens))
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

    /// Whether it matches a text in which a star is a run of characters that is not known: none of `:` and `/`,
    /// which separate the parts of an ARN.
    pub fn matches_partly_known(&self, text: &str) -> Truth {
        if !text.contains('*') {
            return Truth::from(self.matches(text));
        }
        let text: Vec<char> = text.chars().collect();
        // A run is one piece that nothing but a star takes.
        let star = |token: &Token| *token == Token::Star;
        let surely = |token: &Token, character: &char| match token {
            Token::Star => false,
            Token::One => *character != '*',
            Token::Exactly(expected) => expected == character && *character != '*',
        };
        if whole(&self.0, &text, star, surely) {
            return Truth::Yes;
        }
        if self.meets(&text) {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    /// Whether there is a text that the pattern matches and that the runs of `text` can become.
    fn meets(&self, text: &[char]) -> bool {
        let inside_run = |token: &Token| !matches!(token, Token::Exactly(':' | '/'));
        // Which beginnings of the text the pattern's beginning so far can meet.
        let mut row = vec![false; text.len() + 1];
        row[0] = true;
        for (t, character) in text.iter().enumerate() {
            row[t + 1] = row[t] && *character == '*';
        }
        for token in &self.0 {
            let mut next = vec![false; text.len() + 1];
            next[0] = row[0] && *token == Token::Star;
            for (t, character) in text.iter().enumerate() {
                let run = *character == '*';
                next[t + 1] = match token {
                    Token::Star => next[t] || row[t + 1],
                    Token::One => row[t],
                    Token::Exactly(expected) => row[t] && expected == character,
                } || (run
                    && (next[t] || (inside_run(token) && (row[t] || row[t + 1]))));
            }
            row = next;
        }
        row[text.len()]
    }

    /// A text that it matches: its stars become one text, its other wildcards one character.
    pub fn example(&self, star: &str, one: char) -> String {
        let mut example = String::new();
        for token in &self.0 {
            match token {
                Token::Star => example.push_str(star),
                Token::One => example.push(one),
                Token::Exactly(character) => example.push(*character),
            }
        }
        example
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

/// What a character is where wildcards are.
pub fn token(character: char) -> Token {
    match character {
        '*' => Token::Star,
        '?' => Token::One,
        other => Token::Exactly(other),
    }
}

/// What a variable stands for.
pub enum Value {
    /// This text.
    Known(String),
    /// The request lacks it.
    Missing,
    /// That is not known.
    Unknown,
}

/// The value of `key` or of `key, 'default'`. Keys with several values are no variables.
pub fn value<'a>(variable: &str, fact: impl Fn(&str) -> Fact<'a>) -> Value {
    if matches!(variable, "*" | "?" | "$") {
        return Value::Known(variable.to_owned());
    }
    let (key, default) = key_and_default(variable);
    let values = match fact(key) {
        Fact::Values(values) => values,
        Fact::Present | Fact::Unknown => return Value::Unknown,
    };
    match values.as_ref() {
        [one] => Value::Known(one.clone()),
        [] => default.map_or(Value::Missing, Value::Known),
        _ => Value::Missing,
    }
}

/// The parts of `key` or of `key, 'default'`.
pub fn key_and_default(variable: &str) -> (&str, Option<String>) {
    match variable.split_once(',') {
        Some((key, default)) => (key.trim(), quoted(default)),
        None => (variable.trim(), None),
    }
}

fn quoted(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.to_owned())
}

/// Whether a text may have variables. Few have a dollar sign, and one character is found faster than two.
pub fn has_variable(text: &str) -> bool {
    text.contains('$') && text.contains("${")
}

/// The condition keys that a text has as variables.
pub fn variables(text: &str) -> impl Iterator<Item = &str> {
    let behind = text.split("${").skip(1);
    let inside = behind.filter_map(|rest| Some(rest.split_once('}')?.0));
    let keys = inside.map(|inside| key_and_default(inside).0);
    keys.filter(|key| !matches!(*key, "*" | "?" | "$"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every text that the runs of a partly known one become, of up to four characters each.
    fn completed(text: &str) -> Vec<String> {
        let Some((before, after)) = text.split_once('*') else {
            return vec![text.to_owned()];
        };
        let mut runs = vec![String::new()];
        for length in 0..4 {
            let longest = runs.clone().into_iter().filter(|run| run.len() == length);
            runs.extend(longest.flat_map(|run| [format!("{run}a"), format!("{run}b")]));
        }
        let rest = completed(after);
        let each = runs
            .iter()
            .flat_map(|run| rest.iter().map(move |rest| format!("{before}{run}{rest}")));
        each.collect()
    }

    #[test]
    fn a_dollar_sign_alone_begins_no_variable() {
        assert!(has_variable("a${b}") && has_variable("${*}"));
        assert!(!has_variable("a$b{c}") && !has_variable("a{b}") && !has_variable(""));
    }

    #[test]
    fn runs_stay_within_their_part() {
        for (pattern, text, truth) in [
            ("*", "arn:*:key/*", Truth::Yes),
            ("arn:*", "arn:*:key/*", Truth::Yes),
            ("arn:*:key/*", "arn:*:key/*", Truth::Yes),
            ("arn:us:key/*", "arn:*:key/*", Truth::Unknown),
            ("arn:us:key/a?", "arn:*:key/*", Truth::Unknown),
            ("arn:us:alias/a", "arn:*:key/*", Truth::No),
            ("arn:us:key/a/b", "arn:*:key/*", Truth::No),
            ("arn:us:x:key/a", "arn:*:key/*", Truth::No),
            ("arn::key/", "arn:*:key/*", Truth::Unknown),
            ("a", "**", Truth::Unknown),
            ("", "*", Truth::Unknown),
            ("", "a", Truth::No),
            ("a*:b", "a:*", Truth::Unknown),
        ] {
            let found = Pattern::plain(pattern).matches_partly_known(text);
            assert_eq!(found, truth, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_known_in_part_is_answered_as_its_completions_are(pattern in "[ab:*?]{0,4}", text in "[a:]{0,2}[*]?[ab:]{0,2}[*]?") {
            let pattern = Pattern::plain(&pattern);
            let each: Vec<_> = completed(&text).iter().map(|text| pattern.matches(text)).collect();
            match pattern.matches_partly_known(&text) {
                Truth::Yes => prop_assert!(each.iter().all(|matches| *matches)),
                Truth::No => prop_assert!(each.iter().all(|matches| !matches)),
                Truth::Unknown => prop_assert!(each.contains(&true)),
            }
        }
    }
}
