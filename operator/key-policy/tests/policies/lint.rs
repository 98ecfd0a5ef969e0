//! Every rule: once with what it is there to find, once with the template, which passes.
use crate::common::{self, SEED, release, template, with};
use key_policy::{Policy, RuleId, Severity, lint};

fn errors(policy: &Policy) -> Vec<RuleId> {
    lint(policy, &template())
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.rule)
        .collect()
}

/// The errors but that the enclave role manages the key: it is among everybody, and a rule of its own.
fn foreign(policy: &Policy) -> Vec<RuleId> {
    let errors = errors(policy).into_iter();
    errors
        .filter(|rule| *rule != RuleId::EnclaveManagesKey)
        .collect()
}

fn spoilt(from: &str, to: &str) -> Vec<RuleId> {
    errors(&common::spoilt(from, to))
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
            (RuleId::AdminCreatesGrants, Severity::Note),
            (RuleId::NoDeploymentBinding, Severity::Note)
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
    assert_eq!(
        spoilt(
            "\"Resource\": \"*\",\n      \"Condition\": {\"Null\"",
            "\"Resource\": \"arn:aws:kms:us-east-1:999999999999:key/other\",\n      \"Condition\": {\"Null\""
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
        format!(r#"{somebody},"Action":"kms:ReplicateKey""#),
        format!(r#"{somebody},"Action":"kms:Put?eyPolicy""#),
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:Decrypt""#.into(),
        r#""Principal":{"AWS":["arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin","arn:aws:iam::111122223333:role/Other"]},"Action":"kms:PutKeyPolicy""#.into(),
        // Another way for the enclave role is one that no rollover retires.
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet"},"Action":"kms:Decrypt""#.into(),
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet"},"Action":"kms:CreateGrant""#.into(),
    ] {
        let policy = with(&format!(r#"{{"Effect":"Allow",{given},"Resource":"*"}}"#));
        assert_eq!(foreign(&policy), [RuleId::ForeignAllow], "{given}");
    }
    for harmless in [
        format!(r#"{somebody},"Action":"kms:DescribeKey""#),
        format!(r#"{somebody},"NotAction":["kms:*"]"#),
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"},"Action":"kms:CreateGrant""#.into(),
        r#""Principal":{"AWS":"111122223333"},"Action":"kms:PutKeyPolicy""#.into(),
        r#""Principal":"*","Action":["kms:Describe*","kms:List*","kms:Get*"]"#.into(),
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
    for (more, wanted) in [
        ("kms:GenerateDataKey", &[RuleId::ForeignAllow][..]),
        // These carry no attestation, which the statement asks for.
        ("kms:Encrypt", &[]),
        ("kms:CreateGrant", &[]),
    ] {
        let wide = format!("\"Action\": [\"kms:Decrypt\", \"{more}\"]");
        let found = foreign(&common::spoilt("\"Action\": \"kms:Decrypt\"", &wide));
        assert_eq!(found, wanted, "{more}");
    }
}

#[test]
fn administrators_hold_no_data_operation_however_it_is_written() {
    for actions in [
        r#""kms:*""#,
        r#""*""#,
        r#""kms:D*""#,
        r#""KMS:Encrypt""#,
        r#""kms:GenerateDataKey*""#,
        r#""kms:ReEncrypt?o""#,
        r#""kms:?ecrypt""#,
    ] {
        let wider = format!("\"kms:Get*\", {actions}");
        assert_eq!(
            spoilt("\"kms:Get*\"", &wider),
            [RuleId::AdminUsesKey],
            "{actions}"
        );
        let elsewhere = with(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"}},"Action":{actions},"Resource":"*"}}"#
        ));
        assert_eq!(errors(&elsewhere), [RuleId::AdminUsesKey], "{actions}");
    }
    let all_but = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"},"NotAction":"kms:Decrypt","Resource":"*"}"#;
    assert_eq!(errors(&with(all_but)), [RuleId::AdminUsesKey]);
}

#[test]
fn other_administrators_are_a_warning_in_the_account_and_an_error_outside() {
    let admin = r#"{"AWS": "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"}"#;
    let found = |principal: &str| {
        let policy = Policy::parse(&SEED.replace(admin, principal)).unwrap();
        let other = lint(&policy, &template())
            .iter()
            .any(|finding| finding.rule == RuleId::OtherAdministrator);
        let errors = foreign(&policy).into_iter();
        let errors = errors.filter(|rule| *rule != RuleId::MalformedPolicy);
        (errors.collect(), other)
    };
    assert_eq!(found(admin), (vec![], false));
    for named in [
        r#"{"AWS": "arn:aws:iam::111122223333:role/Keepers"}"#,
        // The root may do all this by the first statement already.
        r#"{"AWS": "111122223333"}"#,
        r#"{"AWS": ["arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin", "arn:aws:iam::111122223333:user/keeper"]}"#,
    ] {
        assert_eq!(found(named), (vec![], true), "{named}");
    }
    for stranger in [
        r#""*""#,
        r#"{"AWS": "999999999999"}"#,
        r#"{"AWS": "arn:aws:iam::999999999999:role/ChamberKmsKeyAdmin"}"#,
        r#"{"AWS": "AROAEXAMPLEEXAMPLEEXA"}"#,
        r#"{"Service": "ec2.amazonaws.com"}"#,
        r#"{"Federated": "arn:aws:iam::111122223333:role/Keepers"}"#,
        r#"{"AWS": "arn:aws:iam::111122223333:group/keepers"}"#,
    ] {
        assert_eq!(
            found(stranger),
            (vec![RuleId::ForeignAllow], true),
            "{stranger}"
        );
    }
}

#[test]
fn the_break_glass_has_to_break() {
    let deny = |members: &str| {
        let deny = format!(r#"{{"Effect":"Deny",{members},"Resource":"*"}}"#);
        errors(&with(&deny))
    };
    for locked in [
        r#""Principal":"*","Action":"kms:PutKeyPolicy""#,
        r#""Principal":{"AWS":"111122223333"},"NotAction":"kms:Decrypt""#,
        r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"},"Action":"kms:*""#,
    ] {
        let errors = deny(locked).into_iter();
        let errors: Vec<_> = errors
            .filter(|rule| *rule != RuleId::EnclaveDenied)
            .collect();
        assert_eq!(errors, [RuleId::MissingBreakGlass], "{locked}");
    }
    // The root is spared, and the enclave role is not.
    let account_alone = r#""NotPrincipal":{"AWS":"111122223333"},"Action":"kms:*""#;
    assert_eq!(deny(account_alone), [RuleId::EnclaveDenied]);
    for open in [
        r#""Principal":"*","Action":"kms:Sign""#,
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/R"},"Action":"kms:PutKeyPolicy""#,
        r#""Principal":"*","Action":"kms:PutKeyPolicy","Condition":{"Bool":{"aws:MultiFactorAuthPresent":false}}"#,
    ] {
        assert_eq!(deny(open), [], "{open}");
    }
    for (from, to) in [
        (
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::999999999999:root",
        ),
        (
            "\"kms:*\",\n      \"Resource\": \"*\"",
            "\"kms:*\",\n      \"Resource\": \"arn\"",
        ),
        ("\"Action\": \"kms:*\"", "\"NotAction\": \"kms:*\""),
        ("\"Principal\"", "\"NotPrincipal\""),
    ] {
        assert!(
            spoilt(from, to).contains(&RuleId::MissingBreakGlass),
            "{from}"
        );
    }
    // What is needed is keeping the key, not using it.
    let not_action = "\"NotAction\": [\"kms:Decrypt\", \"kms:GenerateDataKey*\"]";
    assert_eq!(spoilt("\"Action\": \"kms:*\"", not_action), []);
    assert_eq!(spoilt("\"kms:*\"", "\"KMS:*\""), []);
    assert_eq!(spoilt("arn:aws:iam::111122223333:root", "111122223333"), []);
}

#[test]
fn a_second_statement_of_one_name_is_found() {
    let role = template().enclave_role_arn();
    let open = with(&format!(
        r#"{{"Sid":"AllowChamberEnclaveDecryptWithAttestation","Effect":"Allow","Principal":{{"AWS":"{role}"}},"Action":"kms:Decrypt","Resource":"*"}}"#
    ));
    assert_eq!(
        errors(&open),
        [RuleId::DecryptWithoutAttestation, RuleId::RepeatedSid]
    );
}

#[test]
fn statements_without_effect_are_warned_of() {
    for members in [
        r#""Principal":"*","Action":"kms:Decrypt""#,
        r#""Principal":"*","Resource":"*""#,
        r#""Action":"kms:Decrypt","Resource":"*""#,
    ] {
        let policy = with(&format!(r#"{{"Sid":"Idle","Effect":"Allow",{members}}}"#));
        let findings = lint(&policy, &template());
        let idle: Vec<_> = findings
            .iter()
            .filter(|finding| finding.rule == RuleId::WithoutEffect)
            .collect();
        assert_eq!(idle.len(), 1, "{members}");
        assert_eq!(idle[0].severity, Severity::Warning);
        assert!(idle[0].message.contains("Idle"), "{}", idle[0].message);
        assert_eq!(errors(&policy), [], "{members}");
    }
}

#[test]
fn the_missing_operations_are_named() {
    let policy =
        Policy::parse(&SEED.replace(r#""kms:Decrypt", "kms:GenerateDataKey", "#, "")).unwrap();
    let findings = lint(&policy, &template());
    let missing = findings
        .iter()
        .find(|f| f.rule == RuleId::MissingDeny)
        .unwrap();
    assert!(
        missing
            .message
            .starts_with("kms:Decrypt, kms:GenerateDataKey without"),
        "{}",
        missing.message
    );
    let gone = SEED
        .replace("DenyDataOpsWithoutAttestation", "Other")
        .replace("\"Deny\"", "\"Allow\"");
    assert!(errors(&Policy::parse(&gone).unwrap()).contains(&RuleId::MissingDeny));
}

#[test]
fn one_measurement_in_two_spellings_is_one() {
    let image = release(2).image_sha384.to_string();
    assert_eq!(spoilt(&image, &format!("{image}\", \"{image}")), []);
}

#[test]
fn names_of_rules_are_stable() {
    let names: Vec<_> = [
        RuleId::MissingBreakGlass,
        RuleId::ForeignAllow,
        RuleId::AdminCreatesGrants,
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    assert_eq!(
        names,
        [
            "missing-break-glass",
            "foreign-allow",
            "admin-creates-grants"
        ]
    );
    assert_eq!(Severity::Error.to_string(), "error");
}

/// U+212A is a K to Unicode, and none to AWS.
#[test]
fn a_letter_that_only_looks_the_same_is_another() {
    assert_eq!(
        spoilt("\"kms:ReEncryptTo\"", "\"\\u212ams:ReEncryptTo\""),
        [RuleId::MissingDeny]
    );
    let key = "kms:RecipientAttestation:ImageSha384\": [";
    let other = key.replace('k', "\\u212a");
    assert_eq!(spoilt(key, &other), [RuleId::DecryptWithoutAttestation]);
    let policy = common::spoilt(key, &other);
    assert!(key_policy::admitted(&policy, &template()).is_err());
}

#[test]
fn a_document_beyond_the_quota_is_refused() {
    let padded = |bytes: usize| {
        with(&format!(
            r#"{{"Sid":"{}","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}}"#,
            "x".repeat(bytes)
        ))
    };
    let room = key_policy::MAX_SIZE - padded(0).size();
    assert_eq!(padded(room).size(), 32_768);
    assert_eq!(errors(&padded(room)), []);
    assert_eq!(errors(&padded(room + 1)), [RuleId::TooLarge]);
}
