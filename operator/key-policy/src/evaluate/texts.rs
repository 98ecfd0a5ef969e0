//! Every outcome that comparisons of one key's texts can have together, each with a text that has it.
//!
//! All patterns are read side by side, one character after another, as far as they can be told apart: what is not found so
//! does not exist, however many of them it would take.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::outcomes::{Comparison, Kind};
use super::pattern::Token;

/// Pieces that are looked at, of all states and characters together.
const MOST_WORK: usize = 1 << 21;
/// What has the lower case of a letter of ASCII, and is none.
const KELVIN: char = '\u{212a}';

/// A piece of a pattern.
#[derive(Clone, Copy)]
enum Piece {
    /// This character, in whatever case or not.
    Exactly { character: char, any_case: bool },
    /// One character; inside of an ARN's part no colon.
    One { colon: bool },
    /// Any number of them.
    Star { colon: bool },
    /// The end of a pattern of this list.
    End { list: usize },
}

/// Patterns that are read side by side.
struct Patterns {
    pieces: Vec<Piece>,
    alphabet: Vec<char>,
    lists: usize,
}

/// Where the patterns are after the same text: a bit for each piece that comes next.
type State = Vec<u64>;

/// The outcomes (which of these comparisons match); `None` where they compare more than texts, or there is too much to look at.
pub fn outcomes(comparisons: &[Comparison<'_>], fill: char) -> Option<BTreeMap<Vec<bool>, String>> {
    let patterns = Patterns::of(comparisons, fill)?;
    let mut left = MOST_WORK;
    let first = patterns.first();
    let mut places = HashMap::from([(first.clone(), 0)]);
    // Each with the one before it and the character between.
    let mut states = vec![(first, None)];
    let mut found = BTreeMap::new();
    let mut at = 0;
    while let Some((state, _)) = states.get(at) {
        let outcome = patterns.outcome(state);
        left = left.checked_sub(patterns.pieces.len() * patterns.alphabet.len())?;
        let next = patterns.alphabet.iter();
        let next: Vec<_> = next.map(|one| (patterns.next(state, *one), *one)).collect();
        found.entry(outcome).or_insert_with(|| text(&states, at));
        for (state, character) in next {
            if !places.contains_key(&state) {
                places.insert(state.clone(), states.len());
                states.push((state, Some((at, character))));
            }
        }
        at += 1;
    }
    Some(found)
}

/// The text with which a state was reached.
fn text(states: &[(State, Option<(usize, char)>)], at: usize) -> String {
    let before = |at: &usize| states.get(*at)?.1.map(|(before, _)| before);
    let all = std::iter::successors(Some(at), before);
    let characters = all.filter_map(|at| Some(states.get(at)?.1?.1));
    let mut characters: Vec<_> = characters.collect();
    characters.reverse();
    characters.into_iter().collect()
}

impl Patterns {
    fn of(comparisons: &[Comparison<'_>], fill: char) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut alphabet = BTreeSet::from([fill]);
        for (list, comparison) in comparisons.iter().enumerate() {
            for value in &comparison.values {
                pieces.extend(self::pieces(comparison.kind, value)?);
                pieces.push(Piece::End { list });
            }
            alphabet.extend((comparison.kind == Kind::Arn).then_some(':'));
        }
        for piece in &pieces {
            if let Piece::Exactly {
                character,
                any_case,
            } = *piece
            {
                alphabet.insert(character);
                if any_case {
                    alphabet.insert(character.to_ascii_lowercase());
                    alphabet.insert(character.to_ascii_uppercase());
                    alphabet.extend(character.eq_ignore_ascii_case(&'k').then_some(KELVIN));
                }
            }
        }
        Some(Self {
            pieces,
            alphabet: alphabet.into_iter().collect(),
            lists: comparisons.len(),
        })
    }

    /// Before any character.
    fn first(&self) -> State {
        let mut state = vec![0; self.pieces.len().div_ceil(64)];
        let ends = self.pieces.iter().enumerate();
        let ends = ends.filter(|(_, piece)| matches!(piece, Piece::End { .. }));
        let begins = std::iter::once(0).chain(ends.map(|(index, _)| index + 1));
        for begin in begins {
            self.add(&mut state, begin);
        }
        state
    }

    /// A star may take nothing.
    fn add(&self, state: &mut State, mut index: usize) {
        while let Some(piece) = self.pieces.get(index) {
            state[index / 64] |= 1 << (index % 64);
            if !matches!(piece, Piece::Star { .. }) {
                break;
            }
            index += 1;
        }
    }

    fn waiting<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (usize, Piece)> + 'a {
        let each = self.pieces.iter().copied().enumerate();
        each.filter(|(index, _)| state[index / 64] & (1 << (index % 64)) != 0)
    }

    fn next(&self, state: &State, found: char) -> State {
        let mut next = vec![0; state.len()];
        for (index, piece) in self.waiting(state) {
            match piece {
                Piece::Exactly {
                    character,
                    any_case,
                } if is(character, any_case, found) => {
                    self.add(&mut next, index + 1);
                }
                Piece::One { colon } if colon || found != ':' => self.add(&mut next, index + 1),
                Piece::Star { colon } if colon || found != ':' => self.add(&mut next, index),
                _ => {}
            }
        }
        next
    }

    fn outcome(&self, state: &State) -> Vec<bool> {
        let mut outcome = vec![false; self.lists];
        for (_, piece) in self.waiting(state) {
            if let Piece::End { list } = piece {
                outcome[list] = true;
            }
        }
        outcome
    }
}

fn is(character: char, any_case: bool, found: char) -> bool {
    character == found || (any_case && character.to_lowercase().eq(found.to_lowercase()))
}

/// The pieces of one value; `None` where it is no text, or one with letters of which the case is not plain.
fn pieces(kind: Kind, value: &str) -> Option<Vec<Piece>> {
    let exactly = |any_case: bool| {
        let each = value.chars();
        let each = each.map(move |character| Piece::Exactly {
            character,
            any_case,
        });
        each.collect()
    };
    match kind {
        Kind::Text => Some(exactly(false)),
        Kind::AnyCase => value.is_ascii().then(|| exactly(true)),
        Kind::Like => Some(value.chars().map(|one| piece(one, true)).collect()),
        Kind::Arn => {
            let mut part = 1;
            let each = value.chars().map(|one| {
                part += usize::from(one == ':');
                piece(one, part >= 6)
            });
            Some(each.collect())
        }
        Kind::Bool | Kind::Number | Kind::Date | Kind::Address => None,
    }
}

fn piece(character: char, colon: bool) -> Piece {
    match super::pattern::token(character) {
        Token::Star => Piece::Star { colon },
        Token::One => Piece::One { colon },
        Token::Exactly(character) => Piece::Exactly {
            character,
            any_case: false,
        },
    }
}
