//! Every rule: once with what it is there to find, once with the template, which passes.
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{SEED, release, template, with};
use key_policy::{Policy, RuleId, Severity, lint};

fn errors(policy: &Policy) -> Vec<RuleId> {
    lint(policy, &template())
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.rule)
        .collect()
}

fn spoilt(from: &str, to: &str) -> Vec<RuleId> {
    let text = SEED.replacen(from, to, 1);
    assert_ne!(text, SEED, "{from} is not in the seed");
    errors(&Policy::parse(&text).unwrap())
}

#[test]
fn the_seed_passes_and_its_known_holes_are_notes() {
    let findings = lint(&Policy::parse(SEED).unwrap(), &template());
    let notes: Vec<_> = findings
        .iter()
        .map(|finding| (finding.rule, finding.severity))
        .collect();
    assert_eq!(
        notes,
        [
            (RuleId::RootDelegates, Severity::Note),
            (RuleId::AdminCreatesGrants, Severity::Note)
        ]
    );
}

#[test]
fn each_rule_finds_what_it_is_there_for() {
    let image = release(2).image_sha384.to_string();
    let cases: [(&str, String, RuleId); 9] = [
        (
            "\"kms:*\"",
            "\"kms:Describe*\"".into(),
            RuleId::MissingBreakGlass,
        ),
        (
            "\"kms:Put*\"",
            "\"kms:Put*\", \"kms:D*\"".into(),
            RuleId::AdminUsesKey,
        ),
        (
            "\"kms:Get*\"",
            "\"kms:Get*\", \"KMS:generatedatakey\"".into(),
            RuleId::AdminUsesKey,
        ),
        (
            "StringEqualsIgnoreCase",
            "StringNotLike".into(),
            RuleId::DecryptWithoutAttestation,
        ),
        (
            &image,
            image.to_uppercase().replace('2', "E"),
            RuleId::MalformedMeasurement,
        ),
        (
            &image,
            format!("0x{}", &image[2..]),
            RuleId::MalformedMeasurement,
        ),
        (&image, "0".repeat(96), RuleId::ZeroMeasurement),
        (
            &image,
            format!("{image}\", \"{}", "ab".repeat(48)),
            RuleId::TooManyMeasurements,
        ),
        (
            "\"kms:ReEncryptFrom\", ",
            String::new(),
            RuleId::MissingDeny,
        ),
    ];
    for (from, to, rule) in cases {
        assert_eq!(spoilt(from, &to), [rule], "{from} -> {to}");
    }
}

#[test]
fn a_deny_that_spares_somebody_is_no_deny() {
    assert_eq!(
        spoilt(
            "\"Principal\": \"*\"",
            "\"Principal\": {\"AWS\": \"arn:aws:iam::111122223333:root\"}"
        ),
        [RuleId::MissingDeny]
    );
    assert_eq!(
        spoilt(
            "\"Null\": {",
            "\"Bool\": {\"aws:SecureTransport\": \"true\"}, \"Null\": {"
        ),
        [RuleId::MissingDeny]
    );
}

#[test]
fn a_way_to_the_key_is_found_however_it_is_written() {
    let somebody = r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"}"#;
    for given in [
        format!(r#"{somebody},"Action":"kms:Decrypt""#),
        format!(r#"{somebody},"Action":"kms:D*""#),
        format!(r#"{somebody},"Action":"kms:ReEncrypt*""#),
        format!(r#"{somebody},"Action":"kms:CreateGrant""#),
        format!(r#"{somebody},"Action":["kms:DescribeKey","kms:PutKeyPolicy"]"#),
        format!(r#"{somebody},"NotAction":"kms:Encrypt""#),
        r#""Principal":"*","Action":"kms:GenerateDataKey""#.into(),
        r#""Principal":{"AWS":"999999999999"},"Action":"*""#.into(),
        r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:Encrypt""#
            .into(),
        r#""Principal":{"Service":"logs.amazonaws.com"},"Action":"kms:Decrypt*""#.into(),
    ] {
        let policy = with(&format!(r#"{{"Effect":"Allow",{given},"Resource":"*"}}"#));
        assert_eq!(errors(&policy), [RuleId::ForeignAllow], "{given}");
    }
    for harmless in [
        format!(r#"{somebody},"Action":"kms:DescribeKey""#),
        format!(r#"{somebody},"NotAction":["kms:*"]"#),
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"},"Action":"kms:CreateGrant""#.into(),
    ] {
        let policy = with(&format!(r#"{{"Effect":"Allow",{harmless},"Resource":"*"}}"#));
        assert_eq!(errors(&policy), [], "{harmless}");
    }
}

#[test]
fn one_of_the_five_by_name_is_not_believed_with_another_principal() {
    let root = SEED.replace(
        r#"{"AWS": "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"}"#,
        r#"{"AWS": "arn:aws:iam::999999999999:root"}"#,
    );
    assert_eq!(
        errors(&Policy::parse(&root).unwrap()),
        [RuleId::ForeignAllow]
    );
    let wide = SEED.replace(
        "\"Action\": \"kms:Encrypt\"",
        "\"Action\": [\"kms:Encrypt\", \"kms:Decrypt\"]",
    );
    assert_eq!(
        errors(&Policy::parse(&wide).unwrap()),
        [RuleId::ForeignAllow]
    );
}

#[test]
fn a_document_beyond_the_quota_is_refused() {
    let padding = format!(
        r#"{{"Sid":"{}","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}}"#,
        "x".repeat(33_000)
    );
    assert_eq!(errors(&with(&padding)), [RuleId::TooLarge]);
}
