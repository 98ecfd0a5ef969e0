//! Values of a condition key that a policy's comparisons tell apart, and whether they stand for every other value.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

use super::compare::{Compare, instant, network};
use super::condition::Operator;
use super::pattern::Pattern;
use crate::statement::Condition;

/// A value that a policy does not name.
pub const OTHER: &str = "(another value)";
/// Before and after every date that a policy would name.
const FAR_DATES: [&str; 2] = ["1970-01-02T00:00:00Z", "9999-01-01T00:00:00Z"];
/// Addresses of which a policy would name no network.
const FAR_ADDRESSES: [&str; 3] = ["192.0.2.1", "203.0.113.201", "2001:db8:ffff::1"];

/// What comparisons compare: how far examples can stand for other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
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
    Pattern,
}

/// What one condition compares a key with, whether or not its operator negates it.
struct Comparison<'a> {
    kind: Kind,
    compare: Compare,
    values: BTreeSet<&'a str>,
}

impl<'a> Comparison<'a> {
    /// `None` for `Null` and for what AWS has not: there every value answers alike.
    fn of(condition: &'a Condition) -> Option<Self> {
        let operator = Operator::parse(&condition.operator)?;
        let literal = |value: &String| Pattern::plain(value).is_literal();
        let kind = match operator.name {
            "StringEquals" | "StringNotEquals" | "BinaryEquals" => Kind::Text,
            "StringLike" | "StringNotLike" if condition.values.iter().all(literal) => Kind::Text,
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => Kind::AnyCase,
            "Bool" => Kind::Bool,
            name if name.starts_with("Numeric") => Kind::Number,
            name if name.starts_with("Date") => Kind::Date,
            name if name.contains("IpAddress") => Kind::Address,
            _ => Kind::Pattern,
        };
        Some(Self {
            kind,
            compare: operator.compare(),
            values: condition.values.iter().map(String::as_str).collect(),
        })
    }

    /// Whether one of its values matches; `None` where that cannot be compared.
    fn matches(&self, found: &str) -> Option<bool> {
        let mut matches = false;
        for wanted in &self.values {
            matches |= (self.compare)(found, &Pattern::plain(wanted))?;
        }
        Some(matches)
    }
}

/// Values that these conditions tell apart, the plainest last.
pub fn values(conditions: &[&Condition], resolved: Vec<String>) -> Vec<String> {
    let comparisons = comparisons(conditions);
    let mut values: Vec<String> = Vec::new();
    let mut add = |value: String| {
        if !values.contains(&value) {
            values.push(value);
        }
    };
    between(&comparisons).into_iter().for_each(&mut add);
    if minds_case_and_does_not(&comparisons) {
        let texts = comparisons.iter().flat_map(|one| &one.values);
        texts.map(|text| other_case(text)).for_each(&mut add);
    }
    resolved.into_iter().for_each(&mut add);
    for condition in conditions {
        let Some(comparison) = Comparison::of(condition) else {
            continue;
        };
        for value in &condition.values {
            examples(comparison.kind, value)
                .into_iter()
                .for_each(&mut add);
        }
    }
    // Another text is no value of a key that is a number, a date, an address or a boolean.
    let typed = |one: &Comparison<'_>| {
        matches!(
            one.kind,
            Kind::Bool | Kind::Number | Kind::Date | Kind::Address
        )
    };
    if !comparisons.iter().any(typed) {
        add(OTHER.to_owned());
    }
    values
}

/// Whether every value of the key would be answered as one of these.
pub fn stand_for_all(conditions: &[&Condition], values: &[String]) -> bool {
    let of_sets = |condition: &&Condition| {
        Operator::parse(&condition.operator).is_some_and(|operator| operator.is_of_sets())
    };
    // Variables bring in more values than are written.
    let variable = |condition: &&Condition| condition.values.iter().any(|one| one.contains("${"));
    if conditions.iter().any(|one| of_sets(one) || variable(one)) {
        return false;
    }
    let comparisons = comparisons(conditions);
    let kinds: BTreeSet<_> = comparisons.iter().map(|one| one.kind).collect();
    // Each value that is named is among them, and one beside and between each.
    let complete = [
        Kind::Text,
        Kind::AnyCase,
        Kind::Bool,
        Kind::Number,
        Kind::Date,
    ];
    if kinds.len() <= 1 && kinds.iter().all(|kind| complete.contains(kind)) {
        return true;
    }
    every_outcome(&comparisons, values)
}

/// Whether the values show each outcome that the comparisons can have together.
fn every_outcome(comparisons: &[Comparison<'_>], values: &[String]) -> bool {
    let mut different: Vec<&Comparison<'_>> = Vec::new();
    for one in comparisons {
        let same = |known: &&Comparison<'_>| known.kind == one.kind && known.values == one.values;
        if !different.iter().any(same) {
            different.push(one);
        }
    }
    let outcome = |value: &String| -> Option<Vec<bool>> {
        different.iter().map(|one| one.matches(value)).collect()
    };
    let seen: Option<BTreeSet<_>> = values.iter().map(outcome).collect();
    let most = u32::try_from(different.len()).ok();
    let most = most.and_then(|count| 2_usize.checked_pow(count));
    seen.is_some_and(|seen| Some(seen.len()) == most)
}

fn comparisons<'a>(conditions: &[&'a Condition]) -> Vec<Comparison<'a>> {
    conditions
        .iter()
        .filter_map(|condition| Comparison::of(condition))
        .collect()
}

fn minds_case_and_does_not(comparisons: &[Comparison<'_>]) -> bool {
    let has = |kind| comparisons.iter().any(|one| one.kind == kind);
    has(Kind::Text) && has(Kind::AnyCase)
}

fn other_case(text: &str) -> String {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        text.to_ascii_uppercase()
    } else {
        text.to_ascii_lowercase()
    }
}

/// Numbers and dates between those that are named.
fn between(comparisons: &[Comparison<'_>]) -> Vec<String> {
    let named = |kind| {
        let of_kind = comparisons.iter().filter(move |one| one.kind == kind);
        of_kind.flat_map(|one| one.values.iter().copied())
    };
    let mut numbers: Vec<f64> = named(Kind::Number).filter_map(number).collect();
    numbers.sort_by(f64::total_cmp);
    let mut dates: Vec<Timestamp> = named(Kind::Date).filter_map(instant).collect();
    dates.sort_unstable();
    let middle = |pair: &[f64]| f64::midpoint(pair[0], pair[1]).to_string();
    let mut between: Vec<_> = numbers.windows(2).map(middle).collect();
    between.extend(dates.windows(2).filter_map(|pair| {
        let seconds = i64::midpoint(pair[0].as_second(), pair[1].as_second());
        Some(Timestamp::from_second(seconds).ok()?.to_string())
    }));
    between
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Values that one of a policy's tells apart.
fn examples(kind: Kind, value: &str) -> Vec<String> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match kind {
        Kind::Bool => owned(&["true", "false"]),
        Kind::Number => {
            let near = number(value).map(|number| [number, number - 1.0, number + 1.0]);
            let near = near.into_iter().flatten();
            near.map(|number| number.to_string()).collect()
        }
        Kind::Date => owned(&[value, FAR_DATES[0], FAR_DATES[1]]),
        Kind::Address => {
            let ends = network(value).map(ends).into_iter().flatten();
            let far = FAR_ADDRESSES.iter().map(|text| (*text).to_owned());
            ends.chain(far).collect()
        }
        Kind::Pattern => vec![Pattern::plain(value).example('x')],
        Kind::Text | Kind::AnyCase => vec![value.to_owned()],
    }
}

/// The last and the first address of a network.
fn ends((base, length): (IpAddr, u32)) -> [String; 2] {
    let last = match base {
        IpAddr::V4(base) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V4((base.to_bits() | host).into())
        }
        IpAddr::V6(base) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V6((base.to_bits() | host).into())
        }
    };
    [last.to_string(), base.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_ends_where_all_bits_behind_its_own_are_set() {
        for (text, last, first) in [
            ("10.0.0.1/8", "10.255.255.255", "10.0.0.1"),
            ("10.0.0.0/30", "10.0.0.3", "10.0.0.0"),
            ("10.0.0.1/32", "10.0.0.1", "10.0.0.1"),
            ("0.0.0.0/0", "255.255.255.255", "0.0.0.0"),
            ("2001:db8::1/112", "2001:db8::ffff", "2001:db8::1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(ends(network(text).unwrap()), [last, first], "{text}");
        }
    }
}
