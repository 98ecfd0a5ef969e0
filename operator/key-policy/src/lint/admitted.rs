//! What enclaves attest that statement 3 admits.

use std::collections::{BTreeMap, BTreeSet};

use measurement::{Measurement, Pcr};

use crate::Policy;
use crate::evaluate::{Context, Operator};
use crate::images::named_images;
use crate::project::{Compared, DECRYPT, register};
use crate::statement::Condition;

/// A request of the enclave role for each image.
pub fn contexts(policy: &Policy, enclave: &Context) -> Vec<Context> {
    let registers = pinned_to_one(policy);
    let images = named_images(policy).filter_map(|image| Pcr::parse(image).ok());
    let attests = |image| {
        let release = Measurement {
            registers: registers.clone(),
            ..Measurement::image(image)
        };
        enclave.clone().attesting(&release)
    };
    images.map(attests).collect()
}

/// Registers of which statement 3 admits one value, by whichever operator: whatever the image, an enclave that it admits
/// attests this one.
fn pinned_to_one(policy: &Policy) -> BTreeMap<u8, Pcr> {
    let decrypt = policy.statement(DECRYPT.into());
    let conditions = decrypt.into_iter().flat_map(|one| &one.conditions);
    let pinned = conditions.filter_map(|condition| {
        let Some(Compared::Register(index)) = register(&condition.key) else {
            return None;
        };
        Some((index, only_value(condition)?))
    });
    pinned.collect()
}

/// The one value that a condition asks for.
fn only_value(condition: &Condition) -> Option<Pcr> {
    let operator = Operator::parse(&condition.operator)?;
    let minds_case = match operator.name {
        "StringEqualsIgnoreCase" => false,
        "StringEquals" | "StringLike" => true,
        _ => return None,
    };
    let lower: BTreeSet<_> = condition
        .values
        .iter()
        .map(|value| value.to_ascii_lowercase())
        .collect();
    let mut lower = lower.into_iter();
    let (Some(one), None) = (lower.next(), lower.next()) else {
        return None;
    };
    // KMS has lower case: another is attested by nobody.
    let is_attested = !minds_case || condition.values.contains(&one);
    let asks = is_attested && !operator.holds_for_absent();
    asks.then(|| Pcr::parse(&one).ok()).flatten()
}
