//! Which statement of one policy is which of another.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::lines::Lines;
use crate::canonical::{self, StatementForm};
use crate::statement::Statement;

/// Statements before and after that belong together.
pub struct Pairs {
    /// For each statement before, that after.
    after: Vec<Option<usize>>,
    /// For each statement after, whether it is that of one before.
    taken: Vec<bool>,
}

impl Pairs {
    /// Of two lists of statements and what each says.
    pub fn of(statements: [&[Statement]; 2], lines: [&[Lines]; 2]) -> Self {
        let [before, after] = statements;
        let mut pairs = Self {
            after: vec![None; before.len()],
            taken: vec![false; after.len()],
        };
        for [old, new] in by_sid(before, after) {
            match (old.as_slice(), new.as_slice()) {
                (&[one], &[other]) if before[one].sid.is_some() => pairs.join(one, other),
                _ => {
                    pairs.join_equal(statements, &old, &new);
                    pairs.join_similar(lines, &old, &new);
                }
            }
        }
        pairs
    }

    /// The statement after that a statement before is.
    pub fn after(&self, before: usize) -> Option<usize> {
        self.after[before]
    }

    /// The statements after that are none of those before.
    pub fn added(&self) -> impl Iterator<Item = usize> {
        let taken = self.taken.iter().enumerate();
        taken.filter_map(|(index, taken)| (!taken).then_some(index))
    }

    fn join(&mut self, before: usize, after: usize) {
        self.after[before] = Some(after);
        self.taken[after] = true;
    }

    /// Those that mean the same, each with one, in order.
    fn join_equal(&mut self, [before, after]: [&[Statement]; 2], old: &[usize], new: &[usize]) {
        let mut known: BTreeMap<StatementForm, Vec<usize>> = BTreeMap::new();
        for index in new.iter().rev() {
            let form = canonical::statement(&after[*index]);
            known.entry(form).or_default().push(*index);
        }
        for index in old {
            let same = known.get_mut(&canonical::statement(&before[*index]));
            if let Some(partner) = same.and_then(Vec::pop) {
                self.join(*index, partner);
            }
        }
    }

    /// Those of which most lines are the same: first the most similar ones, then those that stand nearest.
    fn join_similar(&mut self, [before, after]: [&[Lines]; 2], old: &[usize], new: &[usize]) {
        let left = old.iter().filter(|index| self.after[**index].is_none());
        let free = |index: &&usize| !self.taken[**index];
        let mut candidates: Vec<_> = left
            .flat_map(|one| new.iter().filter(free).map(move |other| (*one, *other)))
            .filter_map(|(one, other)| {
                let alike = similarity(&before[one], &after[other])?;
                Some((Reverse(alike), one.abs_diff(other), one, other))
            })
            .collect();
        candidates.sort_unstable();
        for (_, _, one, other) in candidates {
            if self.after[one].is_none() && !self.taken[other] {
                self.join(one, other);
            }
        }
    }
}

/// Places of the statements of each Sid, and of those without one, before and after.
fn by_sid(before: &[Statement], after: &[Statement]) -> Vec<[Vec<usize>; 2]> {
    let mut groups: BTreeMap<Option<&str>, [Vec<usize>; 2]> = BTreeMap::new();
    for (side, statements) in [before, after].into_iter().enumerate() {
        for (index, statement) in statements.iter().enumerate() {
            let group = groups.entry(statement.sid.as_deref()).or_default();
            group[side].push(index);
        }
    }
    groups.into_values().collect()
}

/// Lines in common of a thousand; `None` where it is not most of them.
fn similarity(one: &Lines, other: &Lines) -> Option<usize> {
    let common = one.keys().filter(|key| other.contains_key(*key)).count();
    let all = one.len() + other.len();
    (4 * common > all).then(|| 2000 * common / all)
}
