//! Condition operators (IAM user guide, "Condition operators" and "Multivalued context keys").

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::pattern;
use crate::statement::{Condition, Effect};

/// Prefix for keys with several values.
#[derive(Clone, Copy, PartialEq)]
enum Quantifier {
    /// A scalar key.
    None,
    /// At least one value of the request matches; false where the key is absent.
    Any,
    /// Every value of the request matches; true where the key is absent.
    All,
}

/// Whether a condition holds. One that is not understood never gives: it fails in an Allow and holds in a Deny.
pub fn holds(
    condition: &Condition,
    context: &BTreeMap<String, Vec<String>>,
    effect: Effect,
) -> bool {
    let found = context
        .get(&condition.key.to_lowercase())
        .filter(|values| !values.is_empty());
    if condition.operator == "Null" {
        let absent = found.is_none();
        return condition
            .values
            .iter()
            .any(|value| value.eq_ignore_ascii_case("true") == absent);
    }
    let (quantifier, rest) = quantifier(&condition.operator);
    let (operator, if_exists) = match rest.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (rest, false),
    };
    let Some((compare, negated)) = operator_of(operator) else {
        return effect == Effect::Deny;
    };
    let Some(found) = found else {
        return match quantifier {
            Quantifier::None => negated || if_exists,
            Quantifier::Any => if_exists,
            Quantifier::All => true,
        };
    };
    // Several values are alternatives; under a negated operator none of them may match.
    let matches =
        |value: &String| condition.values.iter().any(|wanted| compare(value, wanted)) != negated;
    match quantifier {
        Quantifier::All => found.iter().all(matches),
        Quantifier::None | Quantifier::Any => found.iter().any(matches),
    }
}

fn quantifier(operator: &str) -> (Quantifier, &str) {
    if let Some(rest) = operator.strip_prefix("ForAnyValue:") {
        (Quantifier::Any, rest)
    } else if let Some(rest) = operator.strip_prefix("ForAllValues:") {
        (Quantifier::All, rest)
    } else {
        (Quantifier::None, operator)
    }
}

type Compare = fn(&str, &str) -> bool;

/// The comparison and whether it is negated.
fn operator_of(name: &str) -> Option<(Compare, bool)> {
    Some(match name {
        "StringEquals" => (|a, b| a == b, false),
        "StringNotEquals" => (|a, b| a == b, true),
        "StringEqualsIgnoreCase" | "Bool" => (str_eq_ignore_case, false),
        "StringNotEqualsIgnoreCase" => (str_eq_ignore_case, true),
        "StringLike" => (like, false),
        "StringNotLike" => (like, true),
        "ArnEquals" | "ArnLike" => (arn_like, false),
        "ArnNotEquals" | "ArnNotLike" => (arn_like, true),
        "NumericEquals" => (|a, b| numeric(a, b, |a, b| a.total_cmp(&b).is_eq()), false),
        "NumericNotEquals" => (|a, b| numeric(a, b, |a, b| a.total_cmp(&b).is_eq()), true),
        "NumericLessThan" => (|a, b| numeric(a, b, |a, b| a < b), false),
        "NumericLessThanEquals" => (|a, b| numeric(a, b, |a, b| a <= b), false),
        "NumericGreaterThan" => (|a, b| numeric(a, b, |a, b| a > b), false),
        "NumericGreaterThanEquals" => (|a, b| numeric(a, b, |a, b| a >= b), false),
        "DateEquals" => (|a, b| date(a, b, |a, b| a == b), false),
        "DateNotEquals" => (|a, b| date(a, b, |a, b| a == b), true),
        "DateLessThan" => (|a, b| date(a, b, |a, b| a < b), false),
        "DateLessThanEquals" => (|a, b| date(a, b, |a, b| a <= b), false),
        "DateGreaterThan" => (|a, b| date(a, b, |a, b| a > b), false),
        "DateGreaterThanEquals" => (|a, b| date(a, b, |a, b| a >= b), false),
        "IpAddress" => (in_network, false),
        "NotIpAddress" => (in_network, true),
        _ => return None,
    })
}

fn str_eq_ignore_case(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn like(text: &str, wanted: &str) -> bool {
    pattern(wanted, text, false)
}

/// Each of the six parts of an ARN is compared by itself: a star does not reach past a colon of the first five.
fn arn_like(text: &str, wanted: &str) -> bool {
    let parts = |arn: &str| arn.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (text, wanted) = (parts(text), parts(wanted));
    text.len() == wanted.len()
        && text
            .iter()
            .zip(&wanted)
            .all(|(text, wanted)| pattern(wanted, text, false))
}

fn numeric(a: &str, b: &str, compare: fn(f64, f64) -> bool) -> bool {
    match (a.parse(), b.parse()) {
        (Ok(a), Ok(b)) => compare(a, b),
        _ => false,
    }
}

fn date(a: &str, b: &str, compare: fn(jiff::Timestamp, jiff::Timestamp) -> bool) -> bool {
    match (instant(a), instant(b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => false,
    }
}

/// ISO 8601 with a time zone, a date alone, or seconds since 1970.
fn instant(text: &str) -> Option<jiff::Timestamp> {
    let epoch = || jiff::Timestamp::from_second(text.parse().ok()?).ok();
    let day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(epoch).or_else(day)
}

fn in_network(address: &str, network: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Some(length)) = (base.parse::<IpAddr>(), length) else {
        return false;
    };
    match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            same_prefix(u128::from(a.to_bits()), u128::from(b.to_bits()), 32, length)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => same_prefix(a.to_bits(), b.to_bits(), 128, length),
        _ => false,
    }
}

fn same_prefix(a: u128, b: u128, width: u32, length: u32) -> bool {
    let host_bits = width - length.min(width);
    (a ^ b).checked_shr(host_bits).unwrap_or(0) == 0
}
