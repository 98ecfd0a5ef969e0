//! Every rule, once with a policy that it finds something in, once with one that it finds nothing in.

use key_policy::{
    Finding, Grant, KeyFacts, KeyLists, Policy, RuleId, Severity, Unread, lint, lint_images,
    lint_key, report,
};

use crate::common::{SEED, release, signed, spoilt, template, with};

fn extra(members: &str) -> Vec<Finding> {
    let statement = format!(r#"{{"Sid":"Extra",{members},"Resource":"*"}}"#);
    lint(&with(&statement), &template())
}

fn replaced(from: &str, to: &str) -> Vec<Finding> {
    lint(&spoilt(from, to), &template())
}

fn good_key() -> KeyFacts {
    KeyFacts {
        multi_region: false,
        origin: "AWS_KMS".into(),
        usage: "ENCRYPT_DECRYPT".into(),
        state: "Enabled".into(),
        lists: KeyLists {
            policy_names: vec!["default".into()],
            // What gives no way to the material is no finding.
            grants: vec![grant("0", &["DescribeKey", "RetireGrant", "Verify"])],
            unread: Vec::new(),
        },
    }
}

fn grant(id: &str, operations: &[&str]) -> Grant {
    Grant {
        id: id.into(),
        name: None,
        grantee: "arn:aws:iam::111122223333:role/Backup".into(),
        operations: operations.iter().map(ToString::to_string).collect(),
    }
}

fn refused() -> Unread {
    Unread {
        permission: "kms:ListGrants",
        code: "AccessDeniedException".into(),
    }
}

/// Findings in a policy that is bad in the rule's way.
#[expect(
    clippy::too_many_lines,
    reason = "one table, which grows with the rules"
)]
fn bad(rule: RuleId) -> Vec<Finding> {
    let image = release(2).image_sha384.to_string();
    let seed = || Policy::parse(SEED).unwrap();
    let condition = |operator: &str, key: &str| {
        extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Condition":{{"{operator}":{{"kms:RecipientAttestation{key}":"ABAB"}}}}"#
        ))
    };
    let key = |change: fn(&mut KeyFacts)| {
        let mut key = good_key();
        change(&mut key);
        lint_key(&key)
    };
    match rule {
        RuleId::MalformedPolicy => replaced("2012-10-17", "2012-10-18"),
        RuleId::MissingBreakGlass => replaced("\"kms:*\"", "\"kms:Describe*\""),
        RuleId::AdminUsesKey => replaced("\"kms:Put*\"", "\"kms:Put*\", \"kms:D*\""),
        RuleId::EnclaveManagesKey => extra(&format!(
            r#""Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"kms:Schedule*""#,
            template().enclave_role_arn()
        )),
        RuleId::EnclaveDenied => condition("StringNotEquals", ":PCRs"),
        RuleId::DenySparesMeasurement => extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Condition":{{"StringNotEqualsIgnoreCase":{{"kms:RecipientAttestation:PCR0":["{image}","{}"]}}}}"#,
            "ab".repeat(48)
        )),
        RuleId::ConditionalBreakGlass => replaced(
            "\"Action\": \"kms:*\",",
            "\"Action\": \"kms:*\", \"Condition\": {\"StringEquals\": {\"aws:PrincipalType\": \"Account\"}},",
        ),
        RuleId::MissingStatement => replaced("\"kms:Encrypt\"", "\"kms:DescribeKey\""),
        RuleId::PolicyNotOurs => replaced(
            "EnableIAMRootPermissionsBreakGlass",
            "Enable IAM User Permissions",
        ),
        RuleId::AllowNotPrincipal => extra(
            r#""Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"kms:DescribeKey""#,
        ),
        RuleId::OperatorCase => extra(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Sign","Condition":{"stringEquals":{"aws:SourceVpce":"vpce-1"}}"#,
        ),
        RuleId::DependsOnContext => extra(
            r#""Effect":"Deny","Principal":"*","Action":"kms:*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
        ),
        RuleId::DecryptWithoutAttestation => replaced("StringEqualsIgnoreCase", "StringNotLike"),
        RuleId::MalformedMeasurement => replaced(&image, &format!("0x{}", &image[2..])),
        RuleId::ZeroMeasurement => replaced(&image, &"0".repeat(96)),
        RuleId::TooManyMeasurements => {
            replaced(&image, &format!("{image}\", \"{}", "ab".repeat(48)))
        }
        RuleId::EmptyList => extra(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Sign","Condition":{"StringEquals":{"aws:SourceVpce":[]}}"#,
        ),
        RuleId::MissingDeny => replaced("\"kms:ReEncryptFrom\", ", ""),
        RuleId::ForeignAllow => extra(
            r#""Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"NotAction":"kms:Sign""#,
        ),
        RuleId::RepeatedSid => replaced("AllowKeyAdministrators", "DenyDataOpsWithoutAttestation"),
        RuleId::TooLarge => extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:{}""#,
            "x".repeat(33_000)
        )),
        RuleId::OtherAdministrator => replaced("role/ChamberKmsKeyAdmin", "role/Keepers"),
        RuleId::WithoutEffect => extra(r#""Effect":"Deny","Principal":"*""#),
        RuleId::RegistersInOneDeny => extra(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Condition":{"StringNotEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"ab","kms:RecipientAttestation:PCR8":"ab"}}"#,
        ),
        RuleId::SetOperator => condition("ForAllValues:StringEqualsIgnoreCase", ":PCR1"),
        RuleId::CaseSensitive => condition("StringNotEquals", ":PCR1"),
        RuleId::UnknownAttestationKey => condition("StringNotEqualsIgnoreCase", ":PCRs"),
        RuleId::SharedRole => replaced(
            "ChamberEnclaveRole-prod-us-east-1-mainnet",
            "ChamberEnclaveRole",
        ),
        RuleId::EncryptDenied => replaced(
            "\"kms:ReEncryptFrom\", ",
            "\"kms:ReEncryptFrom\", \"kms:Encr*\", ",
        ),
        RuleId::UniqueIdPrincipal => extra(
            r#""Effect":"Deny","Principal":{"AWS":"AROAEXAMPLEEXAMPLEEXA"},"Action":"kms:Decrypt""#,
        ),
        RuleId::UnknownImage => lint_images(
            &template().render(&[release(1)]),
            &template(),
            &[release(2)],
        ),
        RuleId::PcrMismatch => {
            let mut template = template();
            template.pins = [8].into();
            lint_images(
                &template.render(&[signed(1, 8, 7)]),
                &template,
                &[signed(1, 8, 9)],
            )
        }
        RuleId::MultiRegion => key(|key| key.multi_region = true),
        RuleId::ImportedMaterial => key(|key| key.origin = "EXTERNAL".into()),
        RuleId::SecondPolicy => key(|key| key.lists.policy_names.push("AWS_RAM".into())),
        RuleId::KeyNotUsable => key(|key| key.state = "PendingDeletion".into()),
        RuleId::Grant => key(|key| key.lists.grants.push(grant("1", &["CreateGrant"]))),
        RuleId::FactsNotRead => key(|key| key.lists.unread.push(refused())),
        RuleId::RootDelegates | RuleId::AdminCreatesGrants | RuleId::NoDeploymentBinding => {
            lint(&seed(), &template())
        }
    }
}

/// Findings in a policy that is not bad in the rule's way.
fn good(rule: RuleId) -> Vec<Finding> {
    match rule {
        // It is a matter of meaning, not of the Sid.
        RuleId::RootDelegates => replaced("arn:aws:iam::111122223333:root", "999999999999"),
        RuleId::AdminCreatesGrants => replaced("\"kms:Create*\", ", ""),
        RuleId::NoDeploymentBinding => {
            let mut template = template();
            template.pins = [8].into();
            lint(&template.render(&[signed(1, 8, 7)]), &template)
        }
        RuleId::UnknownImage | RuleId::PcrMismatch => lint_images(
            &template().render(&[release(1)]),
            &template(),
            &[release(1)],
        ),
        RuleId::MultiRegion
        | RuleId::ImportedMaterial
        | RuleId::SecondPolicy
        | RuleId::KeyNotUsable
        | RuleId::Grant
        | RuleId::FactsNotRead => lint_key(&good_key()),
        _ => lint(&Policy::parse(SEED).unwrap(), &template()),
    }
}

#[test]
fn each_rule_finds_its_fault_and_nothing_where_there_is_none() {
    for rule in RuleId::all() {
        let found = bad(rule);
        let one = found.iter().find(|finding| finding.rule == rule);
        let one = one.unwrap_or_else(|| panic!("{rule} is not among {found:?}"));
        assert_eq!(one.severity, rule.rule().severity, "{rule}");
        assert!(!one.message.is_empty() && !one.cure.is_empty(), "{rule}");
        assert!(
            good(rule).iter().all(|finding| finding.rule != rule),
            "{rule}"
        );
    }
}

/// The page of the rules; `BLESS=1` writes it.
#[test]
fn a_grant_is_told_with_what_takes_it_back() {
    let mut key = good_key();
    key.lists.grants = vec![
        grant("2b", &["ReEncryptTo", "Decrypt", "DescribeKey"]),
        Grant {
            name: Some("nightly".into()),
            ..grant("1a", &["CreateGrant"])
        },
    ];
    let findings = lint_key(&key);
    let told: Vec<_> = findings.iter().map(|found| &found.message).collect();
    assert_eq!(
        told,
        [
            "grant 1a (nightly) gives CreateGrant to arn:aws:iam::111122223333:role/Backup: it goes round the Allow statements, not round a Deny",
            "grant 2b gives Decrypt, ReEncryptTo to arn:aws:iam::111122223333:role/Backup: it goes round the Allow statements, not round a Deny",
        ]
    );
    assert!(
        findings
            .iter()
            .all(|found| found.cure.contains("RevokeGrant"))
    );
    for operation in [
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "DeriveSharedSecret",
        "CreateGrant",
    ] {
        key.lists.grants = vec![grant("1", &[operation])];
        assert_eq!(lint_key(&key).len(), 1, "{operation}");
    }
}

#[test]
fn what_may_not_be_listed_is_a_note_that_names_the_permission() {
    let mut key = good_key();
    key.lists.policy_names.clear();
    let failed = |code: &str| Unread {
        permission: "kms:ListKeyPolicies",
        code: code.into(),
    };
    key.lists.unread = vec![refused(), failed("ThrottlingException")];
    let findings = lint_key(&key);
    assert!(report::is_clean(&findings), "{findings:?}");
    let told: Vec<_> = findings
        .iter()
        .map(|found| found.message.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "kms:ListGrants on the key fails with AccessDeniedException: its grants were not looked for",
            "kms:ListKeyPolicies on the key fails with ThrottlingException: a second policy was not looked for",
        ]
    );
    assert_eq!(
        findings[0].cure,
        "Allow kms:ListGrants to the role that reads the key"
    );
    assert_eq!(findings[1].cure, "It is asked again");
}

#[test]
fn each_rule_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/key-policy-lint.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, _) = text.split_once("\n## `").unwrap();
    let mut page = head.to_owned();
    for rule in RuleId::all() {
        let described = rule.rule();
        let severity = described.severity.to_string();
        let severity = severity[..1].to_uppercase() + &severity[1..];
        let prowler = described
            .prowler
            .map(|check| format!(" Prowler: `{check}`."));
        let (why, cure) = (described.why, described.cure);
        let prowler = prowler.unwrap_or_default();
        let cure = format!("Cure: {cure}.{prowler}\n");
        page.extend([format!("\n## `{rule}`\n\n{severity}. {why}\n\n"), cure]);
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
        return;
    }
    assert!(
        text == page,
        "docs/key-policy-lint.md is not as BLESS=1 writes it"
    );
}

#[test]
fn all_of_prowlers_checks_have_a_rule() {
    for check in [
        "not_enforced",
        "bypassable_path",
        "no_deployment_binding",
        "pcr_mismatch",
        "unknown_image",
        "debug_attestation_detected",
    ] {
        assert!(
            RuleId::all().any(|rule| rule.rule().prowler == Some(check)),
            "{check}"
        );
    }
}

#[test]
fn the_template_has_notes_only_that_name_the_pinned_profile() {
    for live in [&[release(1)][..], &[release(1), release(2)]] {
        let findings = lint(&template().render(live), &template());
        assert!(report::is_clean(&findings), "{findings:?}");
        for rule in [RuleId::RootDelegates, RuleId::AdminCreatesGrants] {
            let note = findings
                .iter()
                .find(|finding| finding.rule == rule)
                .unwrap();
            assert_eq!(note.severity, Severity::Note);
            assert!(note.cure.contains("Pinned profile"), "{}", note.cure);
        }
    }
}

#[test]
fn reports_say_the_same_as_the_findings() {
    let findings = bad(RuleId::ZeroMeasurement);
    let json = report::json(&findings);
    assert_eq!(json["findings"].as_array().unwrap().len(), findings.len());
    assert_eq!(json["findings"][0]["rule"], "zero-measurement");
    assert_eq!(json["findings"][0]["severity"], "error");
    let (with_check, check) = RuleId::all()
        .find_map(|rule| Some((rule, rule.rule().prowler?)))
        .unwrap();
    let told = report::json(&bad(with_check));
    let mut told = told["findings"].as_array().unwrap().iter();
    let told = told
        .find(|one| one["rule"] == with_check.to_string())
        .unwrap();
    let check = format!("kms_key_enclave_attestation_{check}");
    assert_eq!(told["prowler"], check);
    let policy = template().render(&[release(1)]);
    let size = report::size(&policy, &template());
    assert_eq!(
        (&size["bytes"], &size["limit"]),
        (&policy.size().into(), &32_768.into())
    );
    assert!(size["room"].as_u64().unwrap() > 100, "{size}");
    let text = template().render(&[release(1)]).to_json();
    let sid = "AllowChamberEnclaveDecryptWithAttestation";
    let statement = text.lines().position(|line| line.contains(sid)).unwrap() as u64;
    let sarif = report::sarif(&findings, "policy.json", &text);
    assert_eq!(sarif["version"], "2.1.0");
    let (run, rules) = (
        &sarif["runs"][0],
        &sarif["runs"][0]["tool"]["driver"]["rules"],
    );
    assert_eq!(rules.as_array().unwrap().len(), RuleId::all().count());
    for (result, finding) in run["results"].as_array().unwrap().iter().zip(&findings) {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], finding.rule.to_string());
        assert_eq!(result["ruleId"], finding.rule.to_string());
        assert_eq!(result["level"], finding.severity.to_string());
        let location = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(location, "policy.json");
        if finding.rule == RuleId::ZeroMeasurement {
            assert_eq!(line(result), statement, "the brace before its Sid");
        }
    }
    assert!(!report::is_clean(&findings));
}

fn line(result: &serde_json::Value) -> u64 {
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert!(region["startColumn"].as_u64().unwrap() > 0);
    region["startLine"].as_u64().unwrap()
}

/// Findings that are about one of the five, whichever value or condition of it, are at that statement.
#[test]
fn findings_of_the_five_are_at_their_statements() {
    let third = "AllowChamberEnclaveDecryptWithAttestation";
    let image = release(2).image_sha384.to_string();
    for (rule, from, to, sid) in [
        (RuleId::NoDeploymentBinding, "Allow", "Allow", third),
        (RuleId::MalformedMeasurement, image.as_str(), "0x12", third),
        (
            RuleId::DecryptWithoutAttestation,
            "StringEqualsIgnoreCase",
            "StringNotLike",
            third,
        ),
        (
            RuleId::OtherAdministrator,
            "role/ChamberKmsKeyAdmin",
            "role/Keepers",
            "AllowKeyAdministrators",
        ),
        (
            RuleId::ConditionalBreakGlass,
            "\"Action\": \"kms:*\",",
            "\"Action\": \"kms:*\", \"Condition\": {\"StringEquals\": {\"aws:PrincipalType\": \"Account\"}},",
            "EnableIAMRootPermissionsBreakGlass",
        ),
        (
            RuleId::RootDelegates,
            "Allow",
            "Allow",
            "EnableIAMRootPermissionsBreakGlass",
        ),
    ] {
        let text = SEED.replacen(from, to, 1);
        let findings = lint(&Policy::parse(&text).unwrap(), &template());
        let sarif = report::sarif(&findings, "policy.json", &text);
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let result = results.iter().find(|one| one["ruleId"] == rule.to_string());
        let wanted = text.lines().position(|line| line.contains(sid)).unwrap() as u64;
        let found = line(result.unwrap_or_else(|| panic!("{rule}")));
        assert!(
            found == wanted || found == wanted + 1,
            "{rule}: {found}, {sid} is at {wanted}"
        );
    }
}

/// Where the statement begins that is meant, however the document is written.
#[test]
fn results_are_at_the_line_of_their_statement() {
    let foreign = r#"{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:Decrypt","Resource":"*"}"#;
    let documents = [
        (format!("{{\n\"Statement\":\n [\n  {foreign}]}}"), 4),
        (format!("{{\n\"Statement\":\n{foreign}}}"), 3),
    ];
    for (text, expected) in documents {
        let findings = lint(&Policy::parse(&text).unwrap(), &template());
        let sarif = report::sarif(&findings, "policy.json", &text);
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let of = |rule: &str| results.iter().find(|one| one["ruleId"] == rule).unwrap();
        assert_eq!(line(of("foreign-allow")), expected, "{text}");
        assert_eq!(line(of("missing-break-glass")), 1, "of no statement");
    }
}
