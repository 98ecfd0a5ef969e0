//! The template and the measurements that the tests share.

use std::collections::BTreeMap;

use key_policy::{Policy, Template};
use measurement::{Measurement, Pcr};

pub const SEED: &str = include_str!("golden/seed.json");

pub fn template() -> Template {
    Template::in_account("aws", "111122223333", "prod-us-east-1-mainnet")
}

pub fn release(byte: u8) -> Measurement {
    Measurement::image(Pcr::from_bytes([byte; 48]))
}

/// A release that names a register beside its image.
pub fn signed(byte: u8, index: u8, register: u8) -> Measurement {
    let mut release = release(byte);
    let pcr = Pcr::from_bytes([register; 48]);
    release.registers.insert(index, pcr);
    release
}

/// The seed with one text replaced; fails where the text is not there.
pub fn spoilt(from: &str, to: &str) -> Policy {
    let text = SEED.replacen(from, to, 1);
    assert_ne!(text, SEED, "{from} is not in the seed");
    Policy::parse(&text).unwrap()
}

/// The template's policy for releases 1 and 2 with one statement more.
pub fn with(statement: &str) -> Policy {
    let rendered = template().render(&[release(1), release(2)]).to_json();
    let end = rendered.rfind(']').unwrap();
    Policy::parse(&format!(
        "{},{statement}]{}",
        &rendered[..end],
        &rendered[end + 1..]
    ))
    .unwrap()
}

/// All condition keys of a request from an enclave with this measurement, and no others.
pub fn attested(measurement: &Measurement) -> BTreeMap<String, Vec<String>> {
    let key = |name: String| format!("kms:recipientattestation:{name}");
    let registers = measurement
        .all()
        .map(|(index, pcr)| (key(format!("pcr{index}")), pcr));
    let image = (key("imagesha384".to_owned()), &measurement.image_sha384);
    let all = registers.chain([image]);
    all.map(|(key, pcr)| (key, vec![pcr.to_string()])).collect()
}
