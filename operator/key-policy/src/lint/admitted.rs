//! What enclaves attest that statement 3 admits.

use std::collections::BTreeMap;

use measurement::{Measurement, Pcr};

use crate::Policy;
use crate::evaluate::Context;
use crate::images::named_images;
use crate::project::{DECRYPT, values};

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

/// Registers of which statement 3 admits one value: whatever the image, an enclave that it admits attests this one.
fn pinned_to_one(policy: &Policy) -> BTreeMap<u8, Pcr> {
    let decrypt = policy.statement(DECRYPT.into());
    let admitted = decrypt.and_then(|one| values(&one.conditions).ok());
    let registers = admitted.map(|admitted| admitted.registers);
    let ones = registers
        .into_iter()
        .flatten()
        .filter_map(|(index, values)| {
            let mut values = values.iter();
            let (Some(one), None) = (values.next(), values.next()) else {
                return None;
            };
            Some((index, Pcr::parse(one).ok()?))
        });
    ones.collect()
}
