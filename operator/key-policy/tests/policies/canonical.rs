//! What is equal, and what is not.

use crate::common::{SEED, release, spoilt, template, with};
use key_policy::Policy;

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
fn a_bare_account_is_its_root_in_every_partition() {
    for partition in ["aws", "aws-cn", "aws-us-gov"] {
        let root = format!("arn:{partition}:iam::111122223333:root");
        let policy = Policy::parse(&SEED.replace("arn:aws:iam::111122223333:root", &root)).unwrap();
        let bare = Policy::parse(&SEED.replace("arn:aws:iam::111122223333:root", "111122223333"));
        assert!(policy.equivalent(&bare.unwrap()), "{partition}");
    }
}

#[test]
fn a_policy_without_a_version_is_of_the_first() {
    let of = |version: &str| Policy::parse(&format!(r#"{{{version}"Statement":[]}}"#)).unwrap();
    assert!(of("").equivalent(&of(r#""Version":"2008-10-17","#)));
    assert!(!of("").equivalent(&of(r#""Version":"2012-10-17","#)));
    assert!(!of("").equivalent(&of(r#""Id":"x","#)));
}

#[test]
fn the_least_change_of_meaning_is_seen() {
    let seed = Policy::parse(SEED).unwrap();
    for (from, to) in [
        ("AllowKeyAdministrators", "Other"),
        ("\"Effect\": \"Allow\"", "\"Effect\": \"Deny\""),
        ("\"Principal\"", "\"NotPrincipal\""),
        ("\"AWS\"", "\"Service\""),
        (":root", ":role/root"),
        ("111122223333:root", "999999999999:root"),
        ("mainnet", "other"),
        ("\"Action\": \"kms:*\"", "\"NotAction\": \"kms:*\""),
        ("\"kms:Put*\", ", ""),
        ("\"kms:ReEncryptTo\"", "\"kms:ReEncryptT?\""),
        ("\"Resource\": \"*\"", "\"NotResource\": \"*\""),
        ("StringEqualsIgnoreCase", "StringEquals"),
        ("ImageSha384", "PCR0"),
        ("0202", "0203"),
        ("\"true\"", "\"false\""),
        ("\"Null\"", "\"NullIfExists\""),
    ] {
        assert!(!spoilt(from, to).equivalent(&seed), "{from} -> {to}");
        assert!(!seed.equivalent(&spoilt(from, to)), "{from} -> {to}");
    }
}

#[test]
fn a_statement_more_is_seen_even_one_that_is_there_already() {
    let seed = Policy::parse(SEED).unwrap();
    let again = r#"{"Sid":"S","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}"#;
    let once = with(again);
    let twice = with(&format!("{again},{again}"));
    assert!(!once.equivalent(&seed));
    assert!(!twice.equivalent(&once));
}

#[test]
fn equal_policies_have_one_canonical_text_and_others_have_others() {
    let parse = |text: &str| Policy::parse(text).unwrap();
    let one = parse(
        r#"{"Version":"2012-10-17","Statement":{"Sid":"A","Effect":"Allow","Principal":{"AWS":["111122223333"]},"Action":["kms:Decrypt","kms:Sign"],"Resource":"*"}}"#,
    );
    let printed = parse(
        r#"{"Statement":[{"Resource":["*"],"Action":["KMS:sign","kms:decrypt"],"Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Effect":"Allow","Sid":"A"}],"Version":"2012-10-17"}"#,
    );
    assert!(one.equivalent(&printed));
    assert_eq!(one.canonical_text(), printed.canonical_text());
    let other = parse(&printed.to_json().replace("kms:decrypt", "kms:encrypt"));
    assert_ne!(one.canonical_text(), other.canonical_text());
    assert!(one.canonical_text().len() > 100, "{}", one.canonical_text());
}
