//! What the comparisons of one condition key tell apart, and which outcomes they cannot have together.

use std::collections::BTreeSet;

use super::compare::Compare;
use super::condition::Operator;
use super::overlap;
use super::pattern::{Pattern, Token, has_variable};
use super::wanted::Wanted;
use crate::statement::Condition;

/// Lists of which every combination is looked at.
const MOST_LISTS: usize = 8;
/// Pairs of values up to which two lists are compared.
const MOST_PAIRS: usize = 1024;

/// What comparisons compare: how far examples can stand for other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Whole texts.
    Text,
    /// Whole texts, whatever their case.
    AnyCase,
    /// `true` and `false`.
    Bool,
    /// Numbers.
    Number,
    /// Points in time.
    Date,
    /// Networks.
    Address,
    /// Patterns.
    Like,
    /// Patterns whose six parts are compared one by one.
    Arn,
}

/// What one condition compares a key with, whether or not its operator negates it.
pub struct Comparison<'a> {
    /// How.
    pub kind: Kind,
    compare: Compare,
    /// Each value once.
    pub values: BTreeSet<&'a str>,
    /// Of texts that are compared whatever their case.
    lower: BTreeSet<String>,
}

impl<'a> Comparison<'a> {
    /// `None` for `Null` and for what AWS has not: there every value answers alike.
    pub fn of(condition: &'a Condition) -> Option<Self> {
        let operator = Operator::parse(&condition.operator)?;
        let literal = |value: &String| !value.contains(['*', '?']);
        let kind = match operator.name {
            "StringEquals" | "StringNotEquals" | "BinaryEquals" => Kind::Text,
            "StringLike" | "StringNotLike" if condition.values.iter().all(literal) => Kind::Text,
            "StringLike" | "StringNotLike" => Kind::Like,
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => Kind::AnyCase,
            "Bool" => Kind::Bool,
            name if name.starts_with("Numeric") => Kind::Number,
            name if name.starts_with("Date") => Kind::Date,
            name if name.contains("IpAddress") => Kind::Address,
            _ => Kind::Arn,
        };
        let values: BTreeSet<_> = condition.values.iter().map(String::as_str).collect();
        let lower = match kind {
            Kind::AnyCase | Kind::Bool => values.iter().map(|one| one.to_lowercase()).collect(),
            _ => BTreeSet::new(),
        };
        Some(Self {
            kind,
            compare: operator.compare(),
            values,
            lower,
        })
    }

    /// Whether one of its values matches; `None` where none does and one cannot be compared.
    pub fn matches(&self, found: &str) -> Option<bool> {
        match self.kind {
            Kind::Text => return Some(self.values.contains(found)),
            Kind::AnyCase | Kind::Bool => return Some(self.lower.contains(&found.to_lowercase())),
            _ => {}
        }
        let mut compared = Some(false);
        for wanted in &self.values {
            match (self.compare)(found, &Wanted::Plain(wanted)) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => compared = None,
            }
        }
        compared
    }

    /// Whether it compares the key in the same way with the same values.
    fn is_same(&self, other: &Self) -> bool {
        // Numbers and dates are compared in several ways.
        let one_way = !matches!(self.kind, Kind::Number | Kind::Date);
        one_way && self.kind == other.kind && self.values == other.values
    }

    /// What its values are to those of another; nothing where that cannot be said.
    fn relation(&self, other: &Self) -> Relation {
        if self.values.len().saturating_mul(other.values.len()) > MOST_PAIRS {
            return Relation::default();
        }
        let pairs = |within: fn(&str, &str) -> bool, apart: fn(&str, &str) -> bool| {
            let each = |one: &&str| other.values.iter().any(|other| within(one, other));
            let none = |one: &&str| other.values.iter().all(|other| apart(one, other));
            Relation {
                within: self.values.iter().all(each),
                apart: self.values.iter().all(none),
            }
        };
        match (self.kind, other.kind) {
            (Kind::Text, _) => {
                let matched = self.values.iter().map(|one| other.matches(one));
                let matched: BTreeSet<_> = matched.collect();
                Relation {
                    within: !matched.contains(&Some(false)) && !matched.contains(&None),
                    apart: !matched.contains(&Some(true)) && !matched.contains(&None),
                }
            }
            (Kind::AnyCase | Kind::Bool, Kind::AnyCase | Kind::Bool) => Relation {
                within: self.lower.is_subset(&other.lower),
                apart: self.lower.is_disjoint(&other.lower),
            },
            (Kind::Like, Kind::Like) => pairs(
                |one, other| overlap::contains(&Pattern::plain(other), &Pattern::plain(one)),
                |one, other| overlap::apart(&Pattern::plain(one), &Pattern::plain(other)),
            ),
            (Kind::Arn, Kind::Arn) => pairs(arn_within, arn_apart),
            _ => Relation::default(),
        }
    }

    /// Whether it matches every value.
    fn is_everything(&self) -> bool {
        self.kind == Kind::Like && self.values.iter().any(|one| is_stars(one))
    }
}

fn is_stars(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

fn arn_within(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    let mut pairs = one.iter().zip(&other);
    one.len() == other.len() && pairs.all(|(one, other)| overlap::contains(other, one))
}

fn arn_apart(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    let mut pairs = one.iter().zip(&other);
    one.len() != other.len() || pairs.any(|(one, other)| overlap::apart(one, other))
}

fn parts(arn: &str) -> Vec<Pattern> {
    Pattern::plain(arn).split(':', 6)
}

/// What the values of one list are to those of another.
#[derive(Clone, Copy, Default)]
pub struct Relation {
    /// Each value that it matches is matched by the other.
    pub within: bool,
    /// No value is matched by both.
    pub apart: bool,
}

/// Whether a condition without wildcards compares whole texts, minding their case.
pub fn compares_texts(condition: &Condition) -> bool {
    let kind = Comparison::of(condition).map(|one| one.kind);
    matches!(kind, Some(Kind::Text | Kind::Like | Kind::Arn))
}

/// Whether stars of a condition's values are wildcards.
pub fn takes_wildcards(condition: &Condition) -> bool {
    let operator = Operator::parse(&condition.operator);
    operator.is_some_and(|one| one.name.contains("Like") || one.name.starts_with("Arn"))
}

/// The values of a condition that have no variables, as patterns.
pub fn patterns(condition: &Condition) -> impl Iterator<Item = Pattern> {
    let wildcards = takes_wildcards(condition);
    let compared = condition
        .values
        .iter()
        .filter(|_| condition.operator != "Null");
    let without = compared.filter(|value| !has_variable(value));
    without.map(move |value| {
        if wildcards {
            Pattern::plain(value)
        } else {
            Pattern::of(value.chars().map(Token::Exactly).collect())
        }
    })
}

/// The different ones among these comparisons.
pub fn different<'a>(conditions: &[&'a Condition]) -> Vec<Comparison<'a>> {
    let mut different: Vec<Comparison<'_>> = Vec::new();
    for one in conditions.iter().filter_map(|one| Comparison::of(one)) {
        if !different.iter().any(|known| known.is_same(&one)) {
            different.push(one);
        }
    }
    different
}

/// Whether each outcome that the comparisons can have together is among those that were seen.
pub fn every_outcome(comparisons: &[Comparison<'_>], seen: &BTreeSet<Vec<Option<bool>>>) -> bool {
    let known = |outcome: &Vec<Option<bool>>| outcome.iter().copied().collect();
    let seen: Option<BTreeSet<Vec<bool>>> = seen.iter().map(known).collect();
    let relation = |one: usize, other: usize| comparisons[one].relation(&comparisons[other]);
    let everything = |one: usize| comparisons[one].is_everything();
    seen.is_some_and(|seen| all_seen(comparisons.len(), relation, everything, &seen))
}

/// Whether each outcome that so many lists can have together was seen: one matches, or does not. It cannot where one
/// list is within another that does not match, is apart from another that does, or is everything and does not match.
pub fn all_seen(
    count: usize,
    relation: impl Fn(usize, usize) -> Relation,
    everything: impl Fn(usize) -> bool,
    seen: &BTreeSet<Vec<bool>>,
) -> bool {
    let feasible = 1_usize.checked_shl(u32::try_from(count).unwrap_or(u32::MAX));
    // Most often there are all.
    if feasible == Some(seen.len()) {
        return true;
    }
    if count > MOST_LISTS {
        return false;
    }
    let related: Vec<Vec<_>> = (0..count)
        .map(|one| (0..count).map(|other| relation(one, other)).collect())
        .collect();
    let everything: Vec<_> = (0..count).map(everything).collect();
    let cannot = |outcome: &[bool]| {
        (0..count).any(|one| {
            let beside = |other: usize| {
                let related: Relation = related[one][other];
                one != other
                    && ((related.within && !outcome[other]) || (related.apart && outcome[other]))
            };
            if outcome[one] {
                (0..count).any(beside)
            } else {
                everything[one]
            }
        })
    };
    let outcomes = (0..count).fold(vec![Vec::new()], |outcomes, _| {
        let next = |matches: bool| {
            let each = outcomes.iter();
            each.map(move |before| [before.as_slice(), &[matches]].concat())
        };
        next(false).chain(next(true)).collect()
    });
    let mut outcomes = outcomes.iter();
    outcomes.all(|outcome| seen.contains(outcome) || cannot(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of fewer parts than an ARN has, a pattern matches none.
    #[test]
    fn arns_are_within_others_part_by_part() {
        let role = "arn:aws:iam::111122223333:role/a";
        assert!(arn_within(role, "arn:aws:iam::*:role/*"));
        assert!(!arn_within("arn:aws:iam::*:role/*", role));
        assert!(!arn_within(role, "arn:*"));
        assert!(!arn_within(role, "arn:aws:iam::*:user/*"));
    }
}
