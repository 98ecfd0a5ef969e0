//! Values of a condition key that a policy's comparisons tell apart, and whether they stand for every other value.

use std::collections::BTreeSet;

use super::condition::Operator;
use super::context::may_have_several;
use super::outcomes::{self, Comparison, Kind};
use super::pattern::{Pattern, has_variable};
use super::texts;
use super::told_apart::{FILLS, MOST_PATTERNS, OTHER, fill, values};
use super::wanted::Wanted;
use crate::statement::Condition;

/// Values of which every set is an example; of more there are sets of one, of two and of all.
const MOST_IN_SETS: usize = 4;
const MOST_IN_PAIRS: usize = 12;

/// Examples of what a key may be.
pub struct Examples {
    /// The plainest last.
    pub values: Vec<Vec<String>>,
    /// For which other values they stand.
    pub stand_for: StandFor,
}

/// For which values the examples of a key stand: each is answered as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StandFor {
    /// None for certain.
    Themselves,
    /// All, while what a variable compares the key with is not known: nothing is said of their pairs.
    AllButForVariables,
    /// All.
    All,
}

/// Examples of a key that these conditions compare. The `more` are values that it may have to have, and where it
/// stands in other conditions or resources (`in_variables`), each value counts, not what its conditions say of it.
pub fn of(conditions: &[&Condition], more: Vec<String>, in_variables: bool) -> Examples {
    if let [one] = conditions
        && more.is_empty()
        && !in_variables
        && let Some(examples) = of_one(one)
    {
        return examples;
    }
    let different = outcomes::different(conditions);
    let mut values = values(&different, conditions, more);
    let variables = conditions.iter().any(|one| has_variables(one));
    let stand_for = if in_variables || variables {
        let plain: Vec<_> = conditions
            .iter()
            .map(|one| without_variables(one))
            .collect();
        let different = outcomes::different(&plain.iter().collect::<Vec<_>>());
        let seen = seen(&different, &values);
        let all = stands(&different, conditions, &seen, &mut values);
        all.then_some(StandFor::AllButForVariables)
    } else {
        let seen = keep_one_of_each(&different, &mut values);
        let all = stands(&different, conditions, &seen, &mut values);
        all.then_some(StandFor::All)
    };
    let stand_for = stand_for.unwrap_or(StandFor::Themselves);
    let of_sets = |one: &&Condition| {
        let operator = Operator::parse(&one.operator);
        operator.is_some_and(|operator| operator.is_of_sets()) && may_have_several(&one.key)
    };
    if conditions.iter().any(of_sets) {
        let few = values.len() <= MOST_IN_SETS;
        return Examples {
            stand_for: if few { stand_for } else { StandFor::Themselves },
            values: sets(&values),
        };
    }
    Examples {
        values: values.into_iter().map(|value| vec![value]).collect(),
        stand_for,
    }
}

/// Whether these values have each outcome; what is missing and can be found is added.
fn stands(
    different: &[Comparison<'_>],
    conditions: &[&Condition],
    seen: &BTreeSet<Vec<Option<bool>>>,
    values: &mut Vec<String>,
) -> bool {
    is_complete(different, conditions)
        || outcomes::every_outcome(different, seen)
        || complete(different, seen, values)
}

/// The same condition with what it compares whatever variables are.
fn without_variables(condition: &Condition) -> Condition {
    let mut plain = condition.clone();
    plain.values.retain(|value| !has_variable(value));
    plain
}

/// Examples where one list of whole texts, or one pattern, is all that is compared, which is most often so: a text that it
/// matches, and another.
fn of_one(condition: &Condition) -> Option<Examples> {
    let operator = Operator::parse(&condition.operator)?;
    let last = condition.values.last()?;
    if operator.is_of_sets() || has_variables(condition) {
        return None;
    }
    let matched = match operator.name {
        "StringEquals" | "StringNotEquals" => last.clone(),
        "StringLike" | "StringNotLike" if condition.values.len() == 1 => {
            let fill = FILLS.chars().find(|fill| !last.contains(*fill))?;
            Pattern::plain(last).example(fill.encode_utf8(&mut [0; 4]), fill)
        }
        _ => return None,
    };
    let mut values = condition.values.iter();
    let is_other = values.any(|value| Wanted::Plain(value).matches(OTHER));
    (!is_other).then(|| Examples {
        values: vec![vec![matched], vec![OTHER.to_owned()]],
        stand_for: StandFor::All,
    })
}

/// Texts that these conditions tell apart, one of each kind, without those that are a variable's name.
pub fn texts(conditions: &[&Condition]) -> Vec<String> {
    let different = outcomes::different(conditions);
    let mut texts = values(&different, conditions, Vec::new());
    texts.retain(|text| !has_variable(text));
    keep_one_of_each(&different, &mut texts);
    texts
}

/// Keeps the plainest value of each outcome, and tells the outcomes.
fn keep_one_of_each(
    different: &[Comparison<'_>],
    values: &mut Vec<String>,
) -> BTreeSet<Vec<Option<bool>>> {
    let mut seen = BTreeSet::new();
    values.reverse();
    values.retain(|value| seen.insert(outcome(different, value)));
    values.reverse();
    seen
}

/// The outcomes that these values have.
fn seen(different: &[Comparison<'_>], values: &[String]) -> BTreeSet<Vec<Option<bool>>> {
    values
        .iter()
        .map(|value| outcome(different, value))
        .collect()
}

/// Which of the comparisons match.
fn outcome(different: &[Comparison<'_>], value: &str) -> Vec<Option<bool>> {
    different.iter().map(|one| one.matches(value)).collect()
}

/// Adds a text for each outcome that was not seen, where all outcomes can be found.
fn complete(
    different: &[Comparison<'_>],
    seen: &BTreeSet<Vec<Option<bool>>>,
    values: &mut Vec<String>,
) -> bool {
    let Some(outcomes) = texts::outcomes(different, fill(different)) else {
        return false;
    };
    let seen: Option<BTreeSet<Vec<bool>>> = seen
        .iter()
        .map(|outcome| outcome.iter().copied().collect())
        .collect();
    let Some(seen) = seen else { return false };
    let others = outcomes.into_iter();
    let others = others.filter(|(outcome, _)| !seen.contains(outcome));
    // The plainest stay last.
    values.splice(0..0, others.map(|(_, text)| text));
    true
}

fn has_variables(condition: &Condition) -> bool {
    condition.values.iter().any(|one| has_variable(one))
}

/// Whether each value that is named is among the examples, with one beside and between each.
fn is_complete(different: &[Comparison<'_>], conditions: &[&Condition]) -> bool {
    let kinds: BTreeSet<_> = different.iter().map(|one| one.kind).collect();
    let complete = |kind: &Kind| match kind {
        Kind::Text | Kind::AnyCase | Kind::Bool | Kind::Number | Kind::Date => true,
        // What no network of a list takes of another ends at an end of one, or beside one.
        Kind::Address => conditions
            .iter()
            .all(|one| one.values.len() <= MOST_PATTERNS),
        Kind::Like | Kind::Arn => false,
    };
    kinds.len() <= 1 && kinds.iter().all(complete)
}

/// Sets of these values, those of one value last.
fn sets(values: &[String]) -> Vec<Vec<String>> {
    let mut sets = Vec::new();
    if values.len() <= MOST_IN_SETS {
        for bits in 1..1_usize << values.len() {
            let chosen = values.iter().enumerate();
            let chosen = chosen.filter(|(index, _)| bits & (1 << index) != 0);
            sets.push(chosen.map(|(_, value)| value.clone()).collect());
        }
        sets.sort_by_key(|set: &Vec<String>| std::cmp::Reverse(set.len()));
        return sets;
    }
    sets.push(values.to_vec());
    sets.extend(values.split_last().map(|(_, named)| named.to_vec()));
    let mut left = &values[values.len().saturating_sub(MOST_IN_PAIRS)..];
    while let Some((one, others)) = left.split_first() {
        let pairs = others.iter().map(|other| vec![one.clone(), other.clone()]);
        sets.extend(pairs);
        left = others;
    }
    sets.extend(values.iter().map(|value| vec![value.clone()]));
    sets
}
