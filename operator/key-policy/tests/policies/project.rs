//! What a policy admits, and the same policy for other releases.

use crate::common::{SEED, release, signed, spoilt, template, with};
use key_policy::{NotOurs, Policy, admitted, project};
use measurement::Pcr;

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

    let image = "\"kms:RecipientAttestation:ImageSha384\": [";
    let spelling = format!("\"kms:recipientattestation:imagesha384\": [], {image}");
    let register = |name: &str| format!("\"kms:RecipientAttestation:{name}\": [], {image}");
    for (from, to) in [
        (image, spelling.as_str()),
        (image, &register("PCR08")),
        (image, &register("PCR+8")),
        (image, &register("PCR32")),
        (image, &register("PCRs")),
        (image, &register("NitroTPMPCR8")),
        (
            "\"Resource\": \"*\",\n      \"Condition\"",
            "\"Resource\": [\"*\", \"arn\"],\n      \"Condition\"",
        ),
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
            "\"Action\": \"kms:Decrypt\",\n      \"Resource\"",
            "\"NotAction\": \"kms:Decrypt\",\n      \"Resource\"",
        ),
        (
            "\"kms:Decrypt\",\n      \"Resource\"",
            "[],\n      \"Resource\"",
        ),
        (
            "\"Resource\": \"*\",\n      \"Condition\"",
            "\"NotResource\": \"*\",\n      \"Condition\"",
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
        let fault = admitted(&spoilt(from, to), &template()).unwrap_err();
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
fn a_second_statement_with_one_of_the_five_names_is_not_ours() {
    for sid in [
        "EnableIAMRootPermissionsBreakGlass",
        "AllowKeyAdministrators",
        "AllowChamberEnclaveDecryptWithAttestation",
        "AllowChamberEnclaveEncryptForWrapping",
        "DenyDataOpsWithoutAttestation",
    ] {
        let second = format!(r#"{{"Sid":"{sid}","Effect":"Allow"}}"#);
        let fault = admitted(&with(&second), &template()).unwrap_err();
        let what = "is there twice".to_owned();
        let sid = sid.to_owned();
        assert_eq!(fault, NotOurs::Unexpected { sid, what });
    }
}

#[test]
fn the_enclave_role_is_named_alone_and_as_itself() {
    let role =
        "{\"AWS\": \"arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet\"}";
    let name = template().enclave_role_arn();
    for other in [
        "\"*\"".to_owned(),
        "{\"AWS\": []}".into(),
        "{}".into(),
        "{\"AWS\": \"arn:aws:iam::111122223333:root\"}".into(),
        format!("{{\"Service\": \"{name}\"}}"),
        format!("{{\"AWS\": [\"{name}\", \"{name}2\"]}}"),
        format!("{{\"AWS\": \"{name}\", \"Service\": \"ec2.amazonaws.com\"}}"),
    ] {
        let fault = admitted(&spoilt(role, &other), &template()).unwrap_err();
        assert!(
            matches!(fault, NotOurs::ForeignRole { .. }),
            "{other}: {fault}"
        );
    }
    let same = format!("{{\"AWS\": [\"{name}\", \"{name}\"]}}");
    assert!(admitted(&spoilt(role, &same), &template()).is_ok());
}

#[test]
fn values_are_read_whatever_their_case_and_written_in_lower_case() {
    let upper = "AB".repeat(48);
    let policy = spoilt(&release(1).image_sha384.to_string(), &upper);
    let found = admitted(&policy, &template()).unwrap();
    assert!(found.image_sha384.contains(&upper.to_lowercase()));
    let live = [release(0xab), release(2)];
    let projected = project(&policy, &template(), &live).unwrap();
    assert!(!projected.equivalent(&policy));
    assert!(projected.equivalent(&template().render(&live)));
}

/// What nobody but the author understands is carried along as it was written.
#[test]
fn projecting_keeps_the_text_of_others() {
    let foreign = r#"{"Sid":"Odd","Effect":"Deny","NotPrincipal":{"AWS":["b","a"]},"NotAction":"kms:X","NotResource":["z"],"Condition":{"NewOperator":{"k":[1.50,true]}}}"#;
    let before = with(foreign);
    let after = project(&before, &template(), &[signed(3, 8, 1)]).unwrap();
    let odd = |policy: &Policy| {
        let text = policy.to_json();
        let start = text.find("\"Odd\"").unwrap();
        text[start..].to_owned()
    };
    assert_eq!(odd(&after), odd(&before));
    assert!(odd(&after).contains("1.50"));
}

#[test]
fn the_only_statement_need_not_be_in_a_list() {
    let one =
        r#"{"Statement":{"Sid":"AllowChamberEnclaveDecryptWithAttestation","Effect":"Allow"}}"#;
    let fault = project(&Policy::parse(one).unwrap(), &template(), &[]).unwrap_err();
    let sid = "EnableIAMRootPermissionsBreakGlass".to_owned();
    assert_eq!(fault, NotOurs::MissingStatement { sid });
}

/// A condition of another kind is named, so that whoever wrote it finds it.
#[test]
fn an_unexpected_condition_key_is_named() {
    let policy = crate::common::spoilt(
        "kms:RecipientAttestation:ImageSha384\": [",
        "kms:ViaService\": \"s3.us-east-1.amazonaws.com\", \"kms:RecipientAttestation:ImageSha384\": [",
    );
    let told = key_policy::admitted(&policy, &crate::common::template()).unwrap_err();
    assert!(
        told.to_string().contains("condition key kms:ViaService"),
        "{told}"
    );
}
