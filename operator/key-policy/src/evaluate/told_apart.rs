//! Values that comparisons of one key tell apart.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

use super::addresses;
use super::compare::{instant, network};
use super::outcomes::{Comparison, Kind};
use super::overlap;
use super::pattern::Pattern;
use super::typed_keys;
use crate::statement::Condition;

/// A value that a policy does not name.
pub const OTHER: &str = "(another value)";
/// Before and after every date that a policy would name.
const FAR_DATES: [&str; 2] = ["1970-01-02T00:00:00Z", "9999-01-01T00:00:00Z"];
/// Addresses of which a policy would name no network.
const FAR_ADDRESSES: [&str; 3] = ["192.0.2.1", "203.0.113.201", "2001:db8:ffff::1"];
/// What may stand where a pattern has a wildcard: the first that no pattern of the key has.
pub const FILLS: &str = "xyzwvutsrqponmlkjihgfedcba0123456789";
/// Patterns of one key of which examples are made, and of which each is looked at with each other.
pub const MOST_PATTERNS: usize = 64;
const MOST_PAIRED: usize = 16;

/// Values that these conditions tell apart, the plainest last.
pub fn values(
    different: &[Comparison<'_>],
    conditions: &[&Condition],
    more: Vec<String>,
) -> Vec<String> {
    let mut all = between(different);
    if minds_case_and_does_not(different) {
        let texts = different.iter().flat_map(|one| &one.values);
        all.extend(texts.flat_map(|text| other_cases(text)));
    }
    let free = conditions.iter().any(|one| may_be_another_text(one));
    let fits = |value: &String| free || different.iter().all(|one| may_be(one.kind, value));
    all.extend(more.into_iter().filter(fits));
    let fill = fill(different);
    all.extend(common_texts(different, fill));
    for condition in conditions {
        let kind = Comparison::of(condition).map(|one| one.kind);
        if free && kind == Some(Kind::Bool) {
            all.extend(condition.values.iter().cloned());
        }
        let most = match kind {
            Some(Kind::Like | Kind::Arn | Kind::Address) => MOST_PATTERNS,
            _ => usize::MAX,
        };
        for value in condition.values.iter().take(most) {
            all.extend(
                kind.into_iter()
                    .flat_map(|kind| examples(kind, value, fill)),
            );
        }
    }
    // Another text is no value of a key that AWS has as a number, a date, an address or a boolean.
    if all.is_empty() || free || !different.iter().any(|one| is_typed(one.kind)) {
        all.push(OTHER.to_owned());
    }
    let mut known = BTreeSet::new();
    all.retain(|value| known.insert(value.clone()));
    all
}

/// Whether values compared in this way are of one kind, as another text is not.
fn is_typed(kind: Kind) -> bool {
    matches!(kind, Kind::Bool | Kind::Number | Kind::Date | Kind::Address)
}

/// Whether a key may be a text that is not of the kind as which it is compared: most keys may be any text, AWS's own
/// (`aws:UserAgent`) as well as a tag; and what is an address is neither true nor false.
fn may_be_another_text(condition: &Condition) -> bool {
    let own = typed_keys::kinds(&condition.key);
    let kind = Comparison::of(condition).map(|one| one.kind);
    own.is_empty() || kind.is_some_and(|kind| is_typed(kind) && !own.contains(&kind))
}

/// Whether a key that is compared so may have this value.
fn may_be(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Bool => matches!(value, "true" | "false"),
        Kind::Number => number(value).is_some(),
        Kind::Date => instant(value).is_some(),
        Kind::Address => value.parse::<IpAddr>().is_ok(),
        Kind::Text | Kind::AnyCase | Kind::Like | Kind::Arn => true,
    }
}

/// A character that no pattern of the key has.
pub fn fill(different: &[Comparison<'_>]) -> char {
    let has = |fill: char| {
        let mut values = different.iter().flat_map(|one| &one.values);
        values.any(|value| value.contains(fill))
    };
    FILLS.chars().find(|fill| !has(*fill)).unwrap_or('~')
}

/// Texts that two patterns of the key both match.
fn common_texts(different: &[Comparison<'_>], fill: char) -> Vec<String> {
    let patterns = different
        .iter()
        .filter(|one| matches!(one.kind, Kind::Like | Kind::Arn))
        .flat_map(|one| &one.values);
    let patterns = patterns.take(MOST_PAIRED).map(|one| Pattern::plain(one));
    let patterns: Vec<_> = patterns.collect();
    let mut texts = Vec::new();
    let mut left = patterns.as_slice();
    while let Some((one, others)) = left.split_first() {
        let common = others.iter().map(|other| overlap::common(one, other, fill));
        texts.extend(common.flatten());
        left = others;
    }
    texts
}

fn minds_case_and_does_not(comparisons: &[Comparison<'_>]) -> bool {
    let minds = |one: &Comparison<'_>| matches!(one.kind, Kind::Text | Kind::Like | Kind::Arn);
    let has = |kind| comparisons.iter().any(|one| one.kind == kind);
    comparisons.iter().any(minds) && has(Kind::AnyCase)
}

/// The same text in capitals, without them, and with some.
fn other_cases(text: &str) -> [String; 3] {
    let (upper, lower) = (text.to_ascii_uppercase(), text.to_ascii_lowercase());
    let first = text.chars().next().map_or(0, char::len_utf8);
    let some = format!("{}{}", &lower[..first], &upper[first..]);
    [some, upper, lower]
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

/// The next whole step, or where a number is too large for one, the next number.
fn above(number: f64) -> f64 {
    (number + 1.0).max(number.next_up())
}

fn below(number: f64) -> f64 {
    (number - 1.0).min(number.next_down())
}

/// Values that one of a policy's tells apart.
fn examples(kind: Kind, value: &str, fill: char) -> Vec<String> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match kind {
        Kind::Bool => owned(&["true", "false"]),
        Kind::Number => {
            let near = number(value).map(|number| [number, below(number), above(number)]);
            let near = near.into_iter().flatten();
            near.map(|number| number.to_string()).collect()
        }
        Kind::Date => owned(&[value, FAR_DATES[0], FAR_DATES[1]]),
        Kind::Address => {
            let ends = network(value)
                .map(|network| [addresses::beside(network), addresses::ends(network).into()]);
            let ends = ends.into_iter().flatten().flatten();
            let far = FAR_ADDRESSES.iter().map(|text| (*text).to_owned());
            ends.chain(far).collect()
        }
        Kind::Like | Kind::Arn => {
            let pattern = Pattern::plain(value);
            let shortest = pattern.example("", fill);
            vec![
                shortest,
                pattern.example(fill.encode_utf8(&mut [0; 4]), fill),
            ]
        }
        Kind::Text | Kind::AnyCase => vec![value.to_owned()],
    }
}
