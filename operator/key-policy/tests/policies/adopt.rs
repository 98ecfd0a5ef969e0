//! Policies that somebody else made, and what becomes of them.

use key_policy::{
    Admitted, NotOurs, Policy, Profile, Severity, Template, adopt, found, found_tuple, holds, lint,
};
use measurement::{Measurement, Pcr};

use crate::common::{release, signed, template};

fn pinning() -> Template {
    Template {
        pins: [8].into(),
        ..template()
    }
}

fn rewritten(live: &[Measurement], change: impl Fn(String) -> String) -> Policy {
    Policy::parse(&change(pinning().render(live).to_json())).unwrap()
}

fn images(admitted: &Admitted) -> Vec<String> {
    admitted.image_sha384.iter().cloned().collect()
}

#[test]
fn what_a_policy_admits_is_read_however_it_was_written() {
    let one = release(1);
    let spellings: [(&str, &str); 3] = [
        ("StringEqualsIgnoreCase", "StringEquals"),
        ("StringEqualsIgnoreCase", "ForAnyValue:StringEquals"),
        ("DenyDataOpsWithoutAttestation", "SomethingElse"),
    ];
    for (from, to) in spellings {
        let policy = rewritten(std::slice::from_ref(&one), |text| text.replace(from, to));
        let found = found(&policy, &pinning()).unwrap();
        assert_eq!(images(&found), [one.image_sha384.to_string()], "{to}");
    }
}

#[test]
fn a_policy_of_no_enclave_or_another_clusters_admits_nothing() {
    let foreign = rewritten(&[release(1)], |text| {
        text.replace("ChamberEnclaveRole-", "ChamberEnclaveRole-other-")
    });
    let default = Policy::parse(
        r#"{"Version":"2012-10-17","Statement":{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}}"#,
    );
    for policy in [foreign, default.unwrap()] {
        assert_eq!(found(&policy, &pinning()), Ok(Admitted::default()));
    }
}

#[test]
fn what_cannot_be_read_for_certain_is_a_fault() {
    for (from, to) in [
        ("StringEqualsIgnoreCase", "StringLike"),
        ("StringEqualsIgnoreCase", "StringNotEquals"),
        ("kms:RecipientAttestation:ImageSha384", "aws:SourceVpce"),
    ] {
        let policy = rewritten(&[release(1)], |text| text.replace(from, to));
        let fault = found(&policy, &pinning());
        assert!(
            matches!(fault, Err(NotOurs::Unexpected { .. })),
            "{to}: {fault:?}"
        );
    }
    let wildcard = rewritten(&[release(1)], |text| {
        text.replace(&release(1).image_sha384.to_string(), "*")
    });
    assert!(found(&wildcard, &pinning()).is_err());
}

#[test]
fn the_registers_of_what_was_found_are_told_from_the_targets_or_it_is_said_that_they_cannot() {
    let (one, two) = (signed(1, 8, 7), signed(2, 8, 8));
    let of = |live: &[Measurement], known: &[Measurement]| {
        let admitted = found(&pinning().render(live), &pinning()).unwrap();
        found_tuple(&admitted, &one.image_sha384, known)
    };
    let target = std::slice::from_ref(&two);
    assert_eq!(of(std::slice::from_ref(&one), target), Some(one.clone()));
    assert_eq!(of(&[one.clone(), two.clone()], target), Some(one.clone()));
    let (shared, same) = (signed(2, 8, 7), [signed(2, 8, 7)]);
    assert_eq!(of(&[one.clone(), shared], &same), Some(one.clone()));
    // Two certificates and no release to say whose they are, and two that others have.
    assert_eq!(of(&[one.clone(), two.clone()], &[]), None);
    let others = [signed(2, 8, 7), signed(3, 8, 8)];
    let all = [one.clone(), others[0].clone(), others[1].clone()];
    assert_eq!(of(&all, &others), None);
}

#[test]
fn adopting_writes_the_templates_statements_and_keeps_those_of_others() {
    let hand_made = r#"{"Version":"2012-10-17","Id":"by hand","Statement":[
        {"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
        {"Sid":"AllowKeyAdministrators","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin","arn:aws:iam::111122223333:role/Second"]},"Action":["kms:Put*","kms:Get*","kms:Describe*","kms:TagResource"],"Resource":"*"},
        {"Sid":"AllowChamberEnclaveDecryptWithAttestation","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/ChamberEnclaveRole-old"},"Action":"kms:Decrypt","Resource":"*"}]}"#;
    let hand_made = Policy::parse(hand_made).unwrap();
    for profile in [Profile::Standard, Profile::Pinned] {
        let template = Template {
            profile,
            ..template()
        };
        let live = [release(1)];
        let adopted = adopt(&hand_made, &template, &live);
        assert_eq!(holds(&adopted, &template, &live), Ok(true));
        for theirs in ["Enable IAM User Permissions", "AllowKeyAdministrators"] {
            assert_eq!(adopted.statement(theirs), hand_made.statement(theirs));
        }
        let errors: Vec<_> = lint(&adopted, &template)
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert_eq!(errors, []);
        assert!(
            Policy::parse(&adopted.to_json())
                .unwrap()
                .equivalent(&adopted)
        );
        assert!(adopt(&adopted, &template, &live).equivalent(&adopted));
    }
}

#[test]
fn what_is_adopted_stays_at_its_place() {
    let rendered = template().render(&[release(1)]).to_json();
    let mut document: serde_json::Value = serde_json::from_str(&rendered).unwrap();
    document["Statement"].as_array_mut().unwrap().reverse();
    let reversed = Policy::parse(&document.to_string()).unwrap();
    let names = |policy: &Policy| {
        let statements = policy.statements().iter();
        let names: Vec<_> = statements.map(|one| one.sid.clone()).collect();
        names
    };
    let adopted = adopt(&reversed, &template(), &[release(2)]);
    assert_eq!(names(&adopted), names(&reversed));
}

#[test]
fn of_a_policy_without_any_statement_of_ours_the_whole_template_is_added() {
    let empty = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#).unwrap();
    let live = [Measurement::image(Pcr::from_bytes([3; 48]))];
    assert!(adopt(&empty, &template(), &live).equivalent(&template().render(&live)));
}

/// Everybody but the enclave role is nobody that a release was admitted for.
#[test]
fn what_a_statement_for_all_others_admits_is_not_taken_over() {
    let role = crate::common::template().enclave_role_arn();
    let named = format!(r#""Principal": {{"AWS": "{role}"}}"#);
    let policy = crate::common::spoilt(&named, &named.replace("Principal", "NotPrincipal"));
    let found = key_policy::found(&policy, &crate::common::template());
    assert!(found.is_err(), "{found:?}");
}
