//! What each operator compares.

use std::net::IpAddr;

use jiff::Timestamp;

use super::wanted::Wanted;

/// Compares a value of the request with one of the policy; `None` where they cannot be compared.
pub type Compare = fn(&str, &Wanted<'_>) -> Option<bool>;

/// Bits of an address.
const V4: u32 = 32;
const V6: u32 = 128;

/// All operators but `Null` (IAM user guide, "Condition operators").
pub const OPERATORS: [&str; 26] = [
    "StringEquals",
    "BinaryEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "Bool",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "IpAddress",
    "NotIpAddress",
];

/// The comparison behind an operator's name, and whether the operator negates it.
pub fn operator(name: &str) -> Option<(Compare, bool)> {
    Some(match name {
        "StringEquals" | "BinaryEquals" => (|a, b| Some(equal(a, b)), false),
        "StringNotEquals" => (|a, b| Some(equal(a, b)), true),
        "StringEqualsIgnoreCase" | "Bool" => (|a, b| Some(equal_ignoring_case(a, b)), false),
        "StringNotEqualsIgnoreCase" => (|a, b| Some(equal_ignoring_case(a, b)), true),
        "StringLike" => (|a, b| Some(like(a, b)), false),
        "StringNotLike" => (|a, b| Some(like(a, b)), true),
        "ArnEquals" | "ArnLike" => (|a, b| Some(arn_like(a, b)), false),
        "ArnNotEquals" | "ArnNotLike" => (|a, b| Some(arn_like(a, b)), true),
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

fn equal(found: &str, wanted: &Wanted<'_>) -> bool {
    found == wanted.literal()
}

fn equal_ignoring_case(found: &str, wanted: &Wanted<'_>) -> bool {
    let wanted = wanted.literal();
    if found.is_ascii() && wanted.is_ascii() {
        return found.eq_ignore_ascii_case(&wanted);
    }
    found.to_lowercase() == wanted.to_lowercase()
}

fn like(found: &str, wanted: &Wanted<'_>) -> bool {
    wanted.matches(found)
}

/// Each of the six parts of an ARN is compared by itself: a star does not reach past a colon of the first five.
fn arn_like(found: &str, wanted: &Wanted<'_>) -> bool {
    let found: Vec<_> = found.splitn(6, ':').collect();
    let wanted = wanted.split(':', 6);
    let mut pairs = found.iter().zip(&wanted);
    found.len() == wanted.len() && pairs.all(|(found, wanted)| wanted.matches(found))
}

fn numeric(found: &str, wanted: &Wanted<'_>, compare: fn(f64, f64) -> bool) -> Option<bool> {
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    Some(compare(number(found)?, number(&wanted.literal())?))
}

fn date(
    found: &str,
    wanted: &Wanted<'_>,
    compare: fn(Timestamp, Timestamp) -> bool,
) -> Option<bool> {
    Some(compare(instant(found)?, instant(&wanted.literal())?))
}

/// ISO 8601 with a time zone, a date alone, or seconds since 1970.
pub fn instant(text: &str) -> Option<Timestamp> {
    let epoch = || Timestamp::from_second(text.parse().ok()?).ok();
    let day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(epoch).or_else(day)
}

fn in_network(found: &str, wanted: &Wanted<'_>) -> Option<bool> {
    let address: IpAddr = found.parse().ok()?;
    Some(is_in(address, network(&wanted.literal())?))
}

/// Whether an address is in a network of its family.
pub fn is_in(address: IpAddr, (base, length): (IpAddr, u32)) -> bool {
    match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let (a, b) = (u128::from(a.to_bits()), u128::from(b.to_bits()));
            same_prefix(a, b, V4 - length)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => same_prefix(a.to_bits(), b.to_bits(), V6 - length),
        _ => false,
    }
}

/// An address and how many of its first bits count, at most all.
pub fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (base, length) = match text.split_once('/') {
        Some((base, length)) => (base, Some(length)),
        None => (text, None),
    };
    let base: IpAddr = base.parse().ok()?;
    let width = if base.is_ipv4() { V4 } else { V6 };
    let length = length.map_or(Some(width), |length| length.parse().ok())?;
    (length <= width).then_some((base, length))
}

/// Whether all but the last bits are the same.
fn same_prefix(a: u128, b: u128, last: u32) -> bool {
    (a ^ b).checked_shr(last).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Kelvin sign is no letter of ASCII, and has the lower case of one.
    #[test]
    fn case_is_that_of_every_letter() {
        let same = |one: &str, other: &str| equal_ignoring_case(one, &Wanted::Plain(other));
        assert!(same("aK", "Ak") && same("k", "\u{212a}") && same("\u{212a}", "k"));
        assert!(!same("k", "\u{212b}") && !same("k", "l"));
    }

    #[test]
    fn an_address_is_in_a_network_of_its_family_whose_first_bits_it_has() {
        let is_in = |address: &str, network: &str| in_network(address, &Wanted::Plain(network));
        for (address, network) in [
            ("2001:db8:ffff::1", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:db8::1", "::/0"),
            ("10.255.0.1", "10.0.0.0/8"),
            ("10.0.0.1", "0.0.0.0/0"),
            ("10.0.0.1", "10.0.0.1/32"),
        ] {
            assert_eq!(is_in(address, network), Some(true), "{address} {network}");
        }
        for (address, network) in [
            ("2001:db9::1", "2001:db8::/32"),
            ("2001:db8::2", "2001:db8::1"),
            ("::a00:1", "10.0.0.0/8"),
            ("10.0.0.1", "::/0"),
            ("11.0.0.1", "10.0.0.0/8"),
        ] {
            assert_eq!(is_in(address, network), Some(false), "{address} {network}");
        }
        assert_eq!(is_in("10.0.0.1", "10.0.0.0/33"), None);
        assert_eq!(is_in("2001:db8::1", "2001:db8::/129"), None);
        assert_eq!(is_in("somewhere", "10.0.0.0/8"), None);
    }
}
