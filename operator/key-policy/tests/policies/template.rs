//! The five statements, byte for byte and against the seed.

use crate::common::{SEED, release, signed, template};
use key_policy::{Policy, Template};
use serde_json::Value;

/// The seed's document with its placeholders filled in for releases 1 and 2: Sids, actions, principals,
/// conditions, and what is a text or a list.
#[test]
fn the_template_is_the_seed() {
    let seed: Value = serde_json::from_str(SEED).unwrap();
    let rendered = template().render(&[release(1), release(2)]).to_json();
    assert_eq!(serde_json::from_str::<Value>(&rendered).unwrap(), seed);
}

fn in_partition(partition: &str) -> Template {
    Template {
        partition: partition.into(),
        admin_role_arn: format!("arn:{partition}:iam::111122223333:role/ChamberKmsKeyAdmin"),
        ..template()
    }
}

/// What is written does not change by accident: people read it in reviews and in plans of Terraform.
#[test]
fn each_partition_has_its_own_text() {
    for (partition, golden) in [
        ("aws", include_str!("golden/aws.json")),
        ("aws-us-gov", include_str!("golden/aws-us-gov.json")),
        ("aws-cn", include_str!("golden/aws-cn.json")),
    ] {
        let rendered = in_partition(partition).render(&[release(1)]).to_json();
        assert_eq!(rendered, golden.trim_end(), "{partition}");
    }
}

#[test]
fn pinned_registers_are_further_keys_of_the_same_condition() {
    let mut template = template();
    template.role_account = "444455556666".into();
    template.pins = [2, 8].into();
    let mut one = signed(1, 8, 7);
    one.registers.extend(signed(1, 2, 0x21).registers);
    let mut two = signed(2, 8, 7);
    two.registers.extend(signed(2, 2, 0x22).registers);
    let rendered = template.render(&[one, two]).to_json();
    assert_eq!(
        rendered,
        include_str!("golden/rollover-with-pins.json").trim_end()
    );
}

#[test]
fn without_a_live_release_nobody_is_admitted() {
    let rendered = template().render(&[]);
    let condition = &rendered.statements()[2].conditions[0];
    assert_eq!(condition.values, ["f".repeat(96)]);
    assert_eq!(Policy::parse(&rendered.to_json()).unwrap(), rendered);
}
