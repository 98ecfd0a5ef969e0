//! The five statements: as the seed has them, read back, and changed for other releases.
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{SEED, release, template, with};
use key_policy::{NotOurs, Policy, admitted, foreign_deny, project};
use measurement::Pcr;
use proptest::prelude::*;

#[test]
fn the_template_is_the_seed() {
    let seed = Policy::parse(SEED).unwrap();
    let rendered = template().render(&[release(1), release(2)]);
    assert!(rendered.equivalent(&seed), "{}", rendered.to_json());
    for different in [
        "kms:Encrypt",
        "kms:ReEncryptTo",
        "kms:Put*",
        "0202",
        "mainnet\"",
        "\"Deny\"",
        "\"true\"",
    ] {
        let changed = Policy::parse(&SEED.replacen(
            different,
            &different.replace(['k', '2', 'm', 'D', 't'], "x"),
            1,
        ));
        assert!(
            changed.is_err() || !rendered.equivalent(&changed.unwrap()),
            "{different} makes no difference"
        );
    }
}

#[test]
fn other_partitions_have_their_own_arns() {
    let mut template = template();
    template.partition = "aws-us-gov".into();
    assert_eq!(
        template.enclave_role_arn(),
        "arn:aws-us-gov:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet"
    );
    assert!(
        template
            .render(&[])
            .to_json()
            .contains("arn:aws-us-gov:iam::111122223333:root")
    );
}

#[test]
fn equal_policies_are_equal_whatever_get_key_policy_does_to_them() {
    let policy = template().render(&[release(1)]);
    let text = policy.to_json();
    let reshaped = text
        .replace("\"kms:*\"", "[\"kms:*\"]")
        .replace("\"Principal\": \"*\"", "\"Principal\": {\"AWS\": [\"*\"]}")
        .replace("kms:Decrypt", "KMS:decrypt")
        .replace("\"arn:aws:iam::111122223333:root\"", "\"111122223333\"")
        .replace("ImageSha384", "imagesha384")
        .replace("\"true\"", "true");
    assert_ne!(text, reshaped);
    assert!(policy.equivalent(&Policy::parse(&reshaped).unwrap()));
}

#[test]
fn a_policy_without_the_five_statements_or_of_another_cluster_is_not_ours() {
    let missing = SEED.replace("DenyDataOpsWithoutAttestation", "Other");
    let missing = admitted(&Policy::parse(&missing).unwrap(), &template()).unwrap_err();
    assert_eq!(
        missing,
        NotOurs::MissingStatement {
            sid: "DenyDataOpsWithoutAttestation".into()
        }
    );

    let other = SEED.replace("prod-us-east-1-mainnet", "other");
    let other = admitted(&Policy::parse(&other).unwrap(), &template()).unwrap_err();
    assert!(matches!(other, NotOurs::ForeignRole { .. }), "{other}");

    for (from, to) in [
        ("StringEqualsIgnoreCase", "StringLike"),
        (
            "StringEqualsIgnoreCase",
            "ForAnyValue:StringEqualsIgnoreCase",
        ),
        (
            "\"kms:Decrypt\",\n      \"Resource\"",
            "\"kms:*\",\n      \"Resource\"",
        ),
        (
            "\"kms:RecipientAttestation:ImageSha384\": [",
            "\"aws:SourceVpce\": [",
        ),
        (
            "\"kms:RecipientAttestation:ImageSha384\": [",
            "\"kms:RecipientAttestation:PCR8\": [",
        ),
    ] {
        let changed = SEED.replacen(from, to, 1);
        assert_ne!(changed, SEED);
        let fault = admitted(&Policy::parse(&changed).unwrap(), &template()).unwrap_err();
        assert!(
            matches!(fault, NotOurs::Unexpected { .. }),
            "{from} -> {to}: {fault}"
        );
    }
}

#[test]
fn projecting_changes_the_admitted_measurements_and_nothing_else() {
    let foreign = r#"{"Sid":"Auditors","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Audit"},"Action":["kms:ListGrants"],"Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":true}}}"#;
    let before = with(foreign);
    let after = project(&before, &template(), &[release(3)]).unwrap();
    assert_eq!(after.statements().len(), 6);
    for (old, new) in before.statements().iter().zip(after.statements()) {
        let is_third = old.sid.as_deref() == Some("AllowChamberEnclaveDecryptWithAttestation");
        assert_eq!(old == new, !is_third, "{old:?}");
    }
    assert_eq!(
        admitted(&after, &template()).unwrap().image_sha384,
        [release(3).image_sha384.to_string()].into()
    );
}

#[test]
fn a_register_is_pinned_only_while_every_live_release_has_it() {
    let mut template = template();
    template.pins = [8].into();
    let (mut one, mut two) = (release(1), release(2));
    one.registers.insert(8, Pcr::from_bytes([7; 48]));
    let pinned = admitted(&template.render(std::slice::from_ref(&one)), &template).unwrap();
    assert_eq!(
        pinned.registers[&8],
        [Pcr::from_bytes([7; 48]).to_string()].into()
    );
    let mixed = admitted(&template.render(&[one.clone(), two.clone()]), &template).unwrap();
    assert!(mixed.registers.is_empty());
    // Two releases signed by one certificate share the register's value.
    two.registers.insert(8, Pcr::from_bytes([7; 48]));
    let shared = admitted(&template.render(&[one, two]), &template).unwrap();
    assert_eq!(shared.registers[&8].len(), 1);
}

#[test]
fn a_foreign_deny_counts_when_it_stops_the_target_or_tells_it_from_the_current_release() {
    let deny = |condition: &str| {
        let policy = with(&format!(
            r#"{{"Sid":"Stop","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{{condition}}}}}"#
        ));
        foreign_deny(&policy, &template(), &release(2), Some(&release(1)))
    };
    let image = |byte| release(byte).image_sha384;
    let two = format!(
        r#""StringEquals":{{"kms:RecipientAttestation:ImageSha384":"{}"}}"#,
        image(2)
    );
    let not_one = format!(
        r#""StringNotEquals":{{"kms:RecipientAttestation:ImageSha384":"{}"}}"#,
        image(1)
    );
    let endpoint = r#""StringNotEquals":{"aws:SourceVpce":"vpce-1"}"#;
    assert_eq!(deny("").as_deref(), Some("Stop"));
    assert_eq!(deny(&two).as_deref(), Some("Stop"));
    assert_eq!(deny(&not_one).as_deref(), Some("Stop"));
    assert_eq!(deny(endpoint), None);
    let both = format!(
        r#""StringNotEquals":{{"aws:SourceVpce":"vpce-1","kms:RecipientAttestation:ImageSha384":"{}"}}"#,
        image(1)
    );
    assert_eq!(deny(&both).as_deref(), Some("Stop"));
    let other_role = r#"{"Sid":"Stop","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:*","Resource":"*"}"#;
    assert_eq!(
        foreign_deny(&with(other_role), &template(), &release(2), None),
        None
    );
}

proptest! {
    #[test]
    fn what_is_projected_is_admitted_and_projecting_again_changes_nothing(bytes in prop::collection::vec(1_u8.., 0..3)) {
        let live: Vec<_> = bytes.iter().map(|byte| release(*byte)).collect();
        let policy = project(&template().render(&[release(9)]), &template(), &live).unwrap();
        let expected = live.iter().map(|m| m.image_sha384.to_string()).collect();
        prop_assert_eq!(admitted(&policy, &template()).unwrap().image_sha384, expected);
        prop_assert!(project(&policy, &template(), &live).unwrap().equivalent(&policy));
    }

    #[test]
    fn any_text_is_parsed_or_refused_without_panic(text in ".{0,200}") {
        drop(Policy::parse(&text));
    }

    #[test]
    fn a_spoilt_policy_is_parsed_or_refused_without_panic(at in 0..SEED.len(), with in "[\\[\\]{}\":,*0-9a-z ]") {
        let mut text = SEED.to_owned();
        text.replace_range(at..=at, &with);
        if let Ok(policy) = Policy::parse(&text) {
            let again = Policy::parse(&policy.to_json()).unwrap();
            prop_assert!(again.equivalent(&policy));
            drop(key_policy::lint(&policy, &template()));
            drop(admitted(&policy, &template()));
        }
    }
}
