//! The template and the measurements that the tests share.

use key_policy::{Policy, Template};
use measurement::{Measurement, Pcr};

pub const SEED: &str = include_str!("../seed.json");

pub fn template() -> Template {
    Template {
        partition: "aws".into(),
        key_account: "111122223333".into(),
        role_account: "111122223333".into(),
        cluster_id: "prod-us-east-1-mainnet".into(),
        admin_role_arn: "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin".into(),
        pins: [].into(),
    }
}

pub fn release(byte: u8) -> Measurement {
    Measurement::image(Pcr::from_bytes([byte; 48]))
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
