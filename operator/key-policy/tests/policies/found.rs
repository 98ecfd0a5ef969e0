//! What passed the lint and must not, and what it refused and must not: by meaning, whatever the spelling.

use key_policy::{Denial, Finding, Policy, RuleId, Severity, lint};

use crate::common::{SEED, release, template, with};

const ENCLAVE: &str = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet";

/// The template's policy with one statement more.
fn extra(members: &str) -> Vec<Finding> {
    let statement = format!(r#"{{"Sid":"Extra",{members}}}"#);
    lint(&with(&statement), &template())
}

/// The seed with texts replaced.
fn changed(changes: &[(&str, &str)]) -> Vec<Finding> {
    let mut text = SEED.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    lint(&Policy::parse(&text).unwrap(), &template())
}

/// Rules with a warning or an error; the notes of the template say nothing here.
fn rules(findings: &[Finding]) -> Vec<(RuleId, Severity)> {
    let found = findings.iter().filter(|one| one.severity > Severity::Note);
    found.map(|one| (one.rule, one.severity)).collect()
}

#[test]
fn the_enclave_role_manages_nothing() {
    for actions in [
        r#""kms:ScheduleKeyDeletion""#,
        r#""kms:DisableKey""#,
        r#""kms:TagResource""#,
        r#""kms:Disable*""#,
        r#"["kms:DescribeKey","kms:untagresource"]"#,
    ] {
        let found = extra(&format!(
            r#""Effect":"Allow","Principal":{{"AWS":"{ENCLAVE}"}},"Action":{actions},"Resource":"*""#
        ));
        let wanted = [(RuleId::EnclaveManagesKey, Severity::Error)];
        assert_eq!(rules(&found), wanted, "{actions}");
    }
    let admin = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";
    let both = format!(r#"["{admin}", "{ENCLAVE}"]"#);
    let found = rules(&changed(&[(&format!("\"{admin}\""), &both)]));
    assert!(
        found.contains(&(RuleId::EnclaveManagesKey, Severity::Error)),
        "{found:?}"
    );
    let harmless = r#""Effect":"Allow","Principal":"*","Action":["kms:DescribeKey","kms:GetPublicKey"],"Resource":"*""#;
    assert_eq!(rules(&extra(harmless)), []);
}

/// Deny statements, and whether they lock the root out of `PutKeyPolicy`, or the enclave role out of Decrypt.
#[test]
fn a_deny_that_locks_out_is_an_error() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let image = release(2).image_sha384;
    let one = release(1).image_sha384;
    let differs = format!(
        r#""StringNotEqualsIgnoreCase":{{"kms:RecipientAttestation:PCR0":["{image}","{one}"]}}"#
    );
    let (root, enclave) = (RuleId::MissingBreakGlass, RuleId::EnclaveDenied);
    for (members, wanted) in [
        (format!(r#""Principal":"*","Action":"kms:PutKeyPolicy","Resource":"{key}""#), vec![root]),
        (r#""Principal":"*","Action":"kms:PutKeyPolicy","Resource":"arn:aws:kms:*:111122223333:key/*""#.into(), vec![root]),
        // Only calls that use a key carry an attestation: the comparison holds for every PutKeyPolicy.
        (format!(r#""Principal":"*","Action":"kms:*","Resource":"*","Condition":{{{differs}}}"#), vec![root]),
        (r#""Principal":"*","Action":"kms:Put*","Resource":"*","Condition":{"Null":{"kms:RecipientAttestation:PCR8":"true"}}"#.into(), vec![root]),
        (r#""Principal":"*","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:111122223333:key/*""#.into(), vec![enclave]),
        (format!(r#""Principal":{{"AWS":"{ENCLAVE}"}},"Action":"kms:D*","Resource":"*""#), vec![enclave]),
        (r#""Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"Null":{"kms:RecipientAttestation":"true"}}"#.into(), vec![enclave]),
        (r#""Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringNotEquals":{"kms:RecipientAttestation:PCR32":"a"}}"#.into(), vec![enclave]),
        (r#""Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:root"}}"#.into(), vec![enclave]),
        (format!(r#""Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{"StringEquals":{{"kms:RecipientAttestation:ImageSha384":"{one}"}}}}"#), vec![enclave]),
        // None of these is about this key, the enclave role, or true of it.
        (r#""Principal":"*","Action":"kms:*","Resource":"arn:aws:kms:us-east-1:999999999999:key/a""#.into(), vec![]),
        (r#""Principal":"*","Action":"kms:*","NotResource":"*""#.into(), vec![]),
        (r#""Principal":"*","Action":"kms:*","Resource":"arn:aws:kms:us-east-1:111122223333:alias/a""#.into(), vec![]),
        (r#""Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}}"#.into(), vec![]),
        (r#""Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#.into(), vec![]),
        (r#""Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}"#.into(), vec![]),
        (format!(r#""Principal":"*","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{{{differs}}}"#), vec![]),
    ] {
        let found = extra(&format!(r#""Effect":"Deny",{members}"#));
        let errors = found.iter().filter(|one| one.severity == Severity::Error);
        let errors: Vec<_> = errors.map(|one| one.rule).collect();
        assert_eq!(errors, wanted, "{members}");
    }
}

/// Where nobody knows, nothing is said for certain: a note, and no error.
#[test]
fn a_fence_is_a_note_that_names_what_it_asks_for() {
    for key in ["aws:SourceVpce", "aws:PrincipalOrgID", "aws:SourceIp"] {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{"StringNotEquals":{{"{key}":"a"}}}}"#
        ));
        assert_eq!(rules(&found), [], "{key}");
        let note = found
            .iter()
            .find(|one| one.rule == RuleId::DependsOnContext);
        let message = &note.unwrap().message;
        assert!(
            message.ends_with(&format!("depending on {key}")),
            "{message}"
        );
    }
}

#[test]
fn zeros_bind_nothing_in_whichever_register_and_statement() {
    let zeros = "0".repeat(96);
    let image = release(2).image_sha384.to_string();
    for key in [
        "ImageSha384",
        "PCR0",
        "PCR3",
        "PCR8",
        "PCR31",
        "NitroTPMPCR4",
    ] {
        for (effect, operator, found) in [
            ("Allow", "StringEqualsIgnoreCase", true),
            ("Allow", "StringLike", true),
            ("Allow", "StringNotEquals", false),
            ("Deny", "StringNotEqualsIgnoreCase", true),
            ("Deny", "StringEquals", false),
        ] {
            let findings = extra(&format!(
                r#""Effect":"{effect}","Principal":{{"AWS":"{ENCLAVE}"}},"Action":"kms:Sign","Resource":"*","Condition":{{"{operator}":{{"kms:RecipientAttestation:{key}":["{image}","{zeros}"]}}}}"#
            ));
            let zero = findings
                .iter()
                .any(|one| one.rule == RuleId::ZeroMeasurement);
            assert_eq!(zero, found, "{effect} {operator} {key}");
        }
    }
}

/// What was retired is retired for everybody: a Deny of the Pinned profile must not spare it.
#[test]
fn a_deny_spares_only_what_statement_3_admits() {
    let (one, two) = (release(1).image_sha384, release(2).image_sha384);
    let retired = "ab".repeat(48);
    for (key, values, found) in [
        ("ImageSha384", format!(r#""{one}","{two}""#), false),
        ("PCR0", format!(r#""{one}""#), false),
        (
            "ImageSha384",
            format!(r#""{one}","{two}","{retired}""#),
            true,
        ),
        (
            "PCR0",
            format!(r#""{}","{two}""#, retired.to_uppercase()),
            true,
        ),
        // Statement 3 pins no register, so the Deny alone says which.
        ("PCR8", format!(r#""{retired}""#), false),
        ("ImageSha384", format!(r#""{}""#, "f".repeat(96)), false),
    ] {
        let findings = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":["kms:Decrypt"],"Resource":"*","Condition":{{"StringNotEqualsIgnoreCase":{{"kms:RecipientAttestation:{key}":[{values}]}}}}"#
        ));
        let spares = findings
            .iter()
            .any(|one| one.rule == RuleId::DenySparesMeasurement);
        assert_eq!(spares, found, "{key} {values}");
    }
}

/// Documents that KMS refuses, each by a change of the seed.
#[test]
fn what_kms_refuses_is_an_error() {
    let error = (RuleId::MalformedPolicy, Severity::Error);
    let admin = r#"{"AWS": "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"}"#;
    for (from, to, message) in [
        ("2012-10-17", "2015-10-17", "the version is \"2015-10-17\""),
        (
            admin,
            r#"{"Role": "arn:aws:iam::111122223333:role/A"}"#,
            "has the principal Role",
        ),
        (
            admin,
            r#"{"AWS": "arn:aws:iam::111122223333:role/*"}"#,
            "has a wildcard",
        ),
        (
            admin,
            r#"{"AWS": "arn:aws:iam::111122223333:group/keepers"}"#,
            "is a group",
        ),
        (admin, r#"{"AWS": "keepers"}"#, "is no ARN and no account"),
        (
            admin,
            r#"{"AWS": "keepers-abcd"}"#,
            "is no ARN and no account",
        ),
        (
            admin,
            r#"{"AWS": "1234567890"}"#,
            "is no ARN and no account",
        ),
        (
            admin,
            r#"{"AWS": "arn:aws:s3:::bucket"}"#,
            "is no role, user, session or account",
        ),
        (
            admin,
            r#"{"AWS": "arn:aws:iam::111122223333:policy/p"}"#,
            "is no role, user, session or account",
        ),
        (
            "\"kms:Encrypt\"",
            "\"Encrypt\"",
            "expected its service before it, as in kms:Encrypt",
        ),
        (
            "\"Null\"",
            "\"IsNull\"",
            "has the operator IsNull, which AWS does not have",
        ),
        (
            "\"StringEqualsIgnoreCase\"",
            "\"StringEqualIgnoreCase\"",
            "which AWS does not have",
        ),
    ] {
        let found = changed(&[(from, to)]);
        assert!(rules(&found).contains(&error), "{to}: {found:?}");
        let told = found
            .iter()
            .find(|one| one.rule == RuleId::MalformedPolicy)
            .unwrap();
        assert!(told.message.contains(message), "{}", told.message);
        let changed = Policy::parse(&SEED.replacen(from, to, 1)).unwrap();
        assert_eq!(key_policy::malformed(&changed), Some(told.message.clone()));
    }
    let nothing = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#).unwrap();
    assert_eq!(
        key_policy::malformed(&nothing).as_deref(),
        Some("the document has no statement")
    );
    for fine in [
        SEED.to_owned(),
        SEED.replace("AllowKeyAdministrators", "Allow access for Key Administrators"),
        SEED.replace(admin, r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/A/s", "Service": "logs.amazonaws.com"}"#),
        SEED.replace(admin, r#"{"AWS": ["111122223333", "AROAEXAMPLEEXAMPLEEXA", "*"]}"#),
        SEED.replace("\"kms:*\"", "\"*\"").replace("2012-10-17", "2008-10-17"),
    ] {
        assert_eq!(key_policy::malformed(&Policy::parse(&fine).unwrap()), None, "{fine}");
    }
}

#[test]
fn what_is_doubtful_is_a_warning() {
    let warning = |rule| (rule, Severity::Warning);
    let cased = changed(&[("\"StringEqualsIgnoreCase\"", "\"stringEqualsIgnoreCase\"")]);
    // It is read as it is meant, but by the operator, which stops at statement 3.
    let seed = lint(&Policy::parse(SEED).unwrap(), &template());
    let of_the_operator = [RuleId::OperatorCase, RuleId::PolicyNotOurs];
    let others: Vec<_> = cased
        .iter()
        .filter(|one| !of_the_operator.contains(&one.rule))
        .collect();
    assert_eq!(others, seed.iter().collect::<Vec<_>>());
    let both = [RuleId::PolicyNotOurs, RuleId::OperatorCase].map(warning);
    assert_eq!(rules(&cased), both);
    let elsewhere = extra(
        r#""Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*","Condition":{"stringEquals":{"aws:SourceVpce":"v"}}"#,
    );
    assert_eq!(rules(&elsewhere), [warning(RuleId::OperatorCase)]);
    let image = release(2).image_sha384.to_string();
    let both = changed(&[
        ("\"StringEqualsIgnoreCase\"", "\"stringequalsignorecase\""),
        (&image, &"0".repeat(96)),
    ]);
    let zero = (RuleId::ZeroMeasurement, Severity::Error);
    assert_eq!(rules(&both), [zero, warning(RuleId::OperatorCase)]);
    let text = SEED.replacen(
        "\"StringEqualsIgnoreCase\"",
        "\"foranyvalue:stringequalsifexists\"",
        1,
    );
    let told = key_policy::malformed(&Policy::parse(&text).unwrap());
    assert!(
        told.unwrap()
            .ends_with("which AWS writes ForAnyValue:StringEqualsIfExists")
    );
    let members = r#""Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"kms:DescribeKey","Resource":"*""#;
    assert_eq!(rules(&extra(members)), [warning(RuleId::AllowNotPrincipal)]);
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{{"Sid":"All",{members}}}}}"#);
    let told = key_policy::malformed(&Policy::parse(&text).unwrap()).unwrap();
    assert!(
        told.starts_with("statement All allows with NotPrincipal"),
        "{told}"
    );
    let denies = r#""Effect":"Deny","NotPrincipal":{"AWS":["111122223333"]},"Action":"kms:Sign","Resource":"*""#;
    assert_eq!(rules(&extra(denies)), []);
}

/// Break-glass that works under a condition, or for the root user alone, is a warning and no error.
#[test]
fn a_break_glass_with_a_condition_is_a_warning() {
    let action = "\"Action\": \"kms:*\",";
    let under = |condition: &str| {
        changed(&[(action, &format!("{action} \"Condition\": {{{condition}}},"))])
    };
    for condition in [
        r#""StringEquals":{"aws:PrincipalType":"Account"}"#,
        r#""Bool":{"aws:MultiFactorAuthPresent":"true"}"#,
    ] {
        let wanted = [(RuleId::ConditionalBreakGlass, Severity::Warning)];
        assert_eq!(rules(&under(condition)), wanted, "{condition}");
    }
    let never = under(r#""StringEquals":{"aws:PrincipalAccount":"999999999999"}"#);
    assert_eq!(
        rules(&never),
        [(RuleId::MissingBreakGlass, Severity::Error)]
    );
    let keeps = "\"NotAction\": [\"kms:Decrypt\", \"kms:Encrypt\", \"kms:GenerateDataKey*\", \"kms:ReEncrypt*\", \"kms:DeriveSharedSecret\"],";
    assert_eq!(rules(&changed(&[(action, keeps)])), []);
}

/// The Deny of statement 5 by what it does: another register, a stricter comparison, in several statements.
#[test]
fn a_deny_without_attestation_is_known_by_its_meaning() {
    let null = r#"{"Null": {"kms:RecipientAttestation:ImageSha384": "true"}}"#;
    let image = release(1).image_sha384;
    for condition in [
        r#"{"Null": {"kms:RecipientAttestation:PCR0": "true"}}"#.to_owned(),
        r#"{"Null": {"KMS:recipientattestation:imagesha384": true}}"#.to_owned(),
        format!(
            r#"{{"StringNotEquals": {{"kms:RecipientAttestation:ImageSha384": "{}"}}}}"#,
            release(2).image_sha384
        ),
        "{}".to_owned(),
    ] {
        let found = changed(&[(null, &condition)]);
        assert!(
            found.iter().all(|one| one.rule != RuleId::MissingDeny),
            "{condition}: {found:?}"
        );
    }
    for condition in [
        r#"{"Null": {"kms:RecipientAttestation:ImageSha384": "false"}}"#.to_owned(),
        r#"{"Null": {"kms:RecipientAttestation:ImageSha384": "true"}, "StringEquals": {"aws:PrincipalAccount": "111122223333"}}"#.to_owned(),
        format!(r#"{{"StringEquals": {{"kms:RecipientAttestation:ImageSha384": "{image}"}}}}"#),
        r#"{"StringNotEqualsIfExists": {"aws:SourceVpce": "a"}}"#.to_owned(),
    ] {
        let found = changed(&[(null, &condition)]);
        assert!(found.iter().any(|one| one.rule == RuleId::MissingDeny), "{condition}");
    }
    // What one statement leaves out another may deny.
    let listed = "\"kms:ReEncryptFrom\", \"kms:ReEncryptTo\"";
    let text = SEED.replacen(listed, "\"kms:ReEncryptTo\"", 1);
    assert_ne!(text, SEED);
    let end = text.rfind(']').unwrap();
    let other = r#",{"Effect":"Deny","Principal":"*","Action":"kms:ReEncryptF*","Resource":"*"}"#;
    let text = format!("{}{other}{}", &text[..end], &text[end..]);
    let found = lint(&Policy::parse(&text).unwrap(), &template());
    assert_eq!(rules(&found), []);
}

#[test]
fn statements_3_and_4_are_missed_by_what_they_do() {
    let missing = (RuleId::MissingStatement, Severity::Warning);
    let other = "arn:aws:iam::111122223333:role/Other";
    let found = lint(
        &Policy::parse(&SEED.replace(ENCLAVE, other)).unwrap(),
        &template(),
    );
    let count = rules(&found).iter().filter(|one| **one == missing).count();
    assert_eq!(count, 2, "{found:?}");
    // Under another name they are there.
    let renamed = changed(&[("AllowChamberEnclaveEncryptForWrapping", "Wrap")]);
    assert!(!rules(&renamed).contains(&missing), "{renamed:?}");
}

#[test]
fn an_administrator_who_needs_mfa_is_one_more_administrator() {
    let statement = |condition: &str, action: &str| {
        extra(&format!(
            r#""Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:role/Keepers"}},"Action":"{action}","Resource":"*","Condition":{{{condition}}}"#
        ))
    };
    let mfa = r#""Bool":{"aws:MultiFactorAuthPresent":"true"}"#;
    let warning = [(RuleId::OtherAdministrator, Severity::Warning)];
    for mfa in [
        mfa,
        r#""NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}"#,
        r#""NumericLessThanEquals":{"AWS:multifactorauthage":"3600"}"#,
        r#""Null":{"aws:MultiFactorAuthAge":"false"}"#,
    ] {
        assert_eq!(rules(&statement(mfa, "kms:PutKeyPolicy")), warning, "{mfa}");
    }
    let error = [(RuleId::ForeignAllow, Severity::Error)];
    for (condition, action) in [
        (
            r#""BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}"#,
            "kms:PutKeyPolicy",
        ),
        (
            r#""Bool":{"aws:MultiFactorAuthPresent":"false"}"#,
            "kms:PutKeyPolicy",
        ),
        (
            r#""NumericLessThanIfExists":{"aws:MultiFactorAuthAge":"3600"}"#,
            "kms:PutKeyPolicy",
        ),
        (
            r#""NumericLessThan":{"s3:signatureAge":"3600"}"#,
            "kms:PutKeyPolicy",
        ),
        (
            r#""Null":{"aws:MultiFactorAuthAge":"true"}"#,
            "kms:PutKeyPolicy",
        ),
        // It is absent where nobody asked for a second factor, and false where somebody forgot it.
        (
            r#""Null":{"aws:MultiFactorAuthPresent":"false"}"#,
            "kms:PutKeyPolicy",
        ),
        (mfa, "kms:Decrypt"),
    ] {
        assert_eq!(
            rules(&statement(condition, action)),
            error,
            "{condition} {action}"
        );
    }
}

/// What is allowed to IAM is said by what it means, whatever the Sid is.
#[test]
fn the_root_statement_delegates_by_what_it_says() {
    let note = |findings: &[Finding]| {
        let note = findings
            .iter()
            .find(|one| one.rule == RuleId::RootDelegates);
        note.map(|one| one.message.clone())
    };
    let renamed = changed(&[(
        "EnableIAMRootPermissionsBreakGlass",
        "Enable IAM User Permissions",
    )]);
    assert!(
        note(&renamed)
            .unwrap()
            .ends_with("from any attested enclave")
    );
    let open = changed(&[("\"Effect\": \"Deny\"", "\"Effect\": \"Allow\"")]);
    assert!(note(&open).unwrap().ends_with("without an attestation"));
    let root_user = changed(&[(
        "\"Action\": \"kms:*\",",
        "\"NotAction\": [\"kms:Decrypt\", \"kms:GenerateDataKey*\", \"kms:ReEncrypt*\"],",
    )]);
    assert_eq!(note(&root_user), None);
}

/// A deleted principal in one of the five is mended by the operator: it is not to be removed.
#[test]
fn a_deleted_principal_of_ours_is_named_anew() {
    let found = changed(&[(ENCLAVE, "AROAEXAMPLEEXAMPLEEXA")]);
    let foreign = found
        .iter()
        .find(|one| one.rule == RuleId::ForeignAllow)
        .unwrap();
    assert!(
        foreign.cure.starts_with("Name the role by its ARN"),
        "{}",
        foreign.cure
    );
}

/// Whoever keeps the key needs more than `PutKeyPolicy`: what is missing is named.
#[test]
fn each_operation_that_keeps_a_key_is_asked_for() {
    for missing in [
        "ScheduleKeyDeletion",
        "EnableKey",
        "TagResource",
        "DescribeKey",
    ] {
        let not = format!("\"NotAction\": \"kms:{missing}\",");
        let found = changed(&[("\"Action\": \"kms:*\",", &not)]);
        let finding = found
            .iter()
            .find(|one| one.rule == RuleId::MissingBreakGlass);
        let message = &finding.unwrap_or_else(|| panic!("{missing}")).message;
        assert!(
            message.contains(&format!("may not do kms:{missing}:")),
            "{message}"
        );
    }
    for used in [
        "Decrypt",
        "Sign",
        "GenerateMac",
        "SynchronizeMultiRegionKey",
    ] {
        let not = format!("\"NotAction\": \"kms:{used}\",");
        let found = changed(&[("\"Action\": \"kms:*\",", &not)]);
        assert!(
            found
                .iter()
                .all(|one| one.rule != RuleId::MissingBreakGlass),
            "{used}"
        );
    }
}

#[test]
fn a_foreign_allow_says_to_whom() {
    for (principal, who) in [
        (
            r#""Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:role/A"]}"#,
            "to 111122223333, arn:aws:iam::111122223333:role/A",
        ),
        (
            r#""NotPrincipal":{"AWS":"111122223333"}"#,
            "to everybody but 111122223333",
        ),
    ] {
        let found = extra(&format!(
            r#""Effect":"Allow",{principal},"Action":"kms:Decrypt","Resource":"*""#
        ));
        let finding = found
            .iter()
            .find(|one| one.rule == RuleId::ForeignAllow)
            .unwrap();
        assert!(finding.message.ends_with(who), "{}", finding.message);
    }
}

/// The note is at the statement that delegates, and says what the Deny leaves.
#[test]
fn the_note_of_the_root_statement_is_at_that_statement() {
    let foreign = r#"{"Sid":"Before","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:Decrypt","Resource":"*"}"#;
    let list = "\"Statement\": [";
    assert!(SEED.contains(list));
    let text = SEED.replacen(list, &format!("{list}\n{foreign},\n"), 1);
    let findings = lint(&Policy::parse(&text).unwrap(), &template());
    let sarif = key_policy::report::sarif(&findings, "policy.json", &text);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let note = results
        .iter()
        .find(|one| one["ruleId"] == "root-delegates")
        .unwrap();
    let line = &note["locations"][0]["physicalLocation"]["region"]["startLine"];
    let sid = text
        .lines()
        .position(|line| line.contains("EnableIAMRootPermissionsBreakGlass"));
    let sid = sid.unwrap() as u64;
    assert!(
        [sid, sid + 1].contains(&line.as_u64().unwrap()),
        "{line} {sid}"
    );
    // A Deny that holds for the account, if not for everybody, leaves attested enclaves.
    let null = r#""Null": {"#;
    let own = r#""StringEquals": {"aws:PrincipalAccount": "111122223333"}, "Null": {"#;
    let found = changed(&[(null, own)]);
    let note = found
        .iter()
        .find(|one| one.rule == RuleId::RootDelegates)
        .unwrap();
    assert!(
        note.message.ends_with("from any attested enclave"),
        "{}",
        note.message
    );
    assert!(found.iter().any(|one| one.rule == RuleId::MissingDeny));
}

/// An Allow spares nobody, and the break-glass by its name is believed of the root alone.
#[test]
fn names_and_effects_are_not_believed_for_another() {
    let retired = "ab".repeat(48);
    let found = extra(&format!(
        r#""Effect":"Allow","Principal":{{"AWS":"{ENCLAVE}"}},"Action":"kms:Decrypt","Resource":"*","Condition":{{"StringNotEquals":{{"kms:RecipientAttestation:PCR0":"{retired}"}}}}"#
    ));
    assert!(
        found
            .iter()
            .all(|one| one.rule != RuleId::DenySparesMeasurement),
        "{found:?}"
    );
    let root = "arn:aws:iam::111122223333:root";
    let found = changed(&[(root, "arn:aws:iam::111122223333:role/Other")]);
    assert!(
        rules(&found).contains(&(RuleId::ForeignAllow, Severity::Error)),
        "{found:?}"
    );
    let cloudfront = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1";
    let fine = SEED.replace(root, cloudfront);
    assert_eq!(key_policy::malformed(&Policy::parse(&fine).unwrap()), None);
}

/// Statements 3 and 4 that can never hold are none.
#[test]
fn a_statement_that_never_holds_is_missing() {
    let missing = (RuleId::MissingStatement, Severity::Warning);
    let image = format!("\"{}\"", release(2).image_sha384);
    let key = "\"kms:RecipientAttestation:ImageSha384\": [";
    let other = format!(
        "\"kms:RecipientAttestation:PCR0\": \"{}\", {key}",
        "b2".repeat(48)
    );
    let own = format!("\"kms:CallerAccount\": \"111122223333\", {other}");
    let account = format!("\"kms:CallerAccount\": \"999999999999\", {key}");
    let service = format!("\"kms:ViaService\": \"s3.us-east-1.amazonaws.com\", {key}");
    for with in [&other, &own, &account, &service] {
        let found = changed(&[(key, with)]);
        assert!(rules(&found).contains(&missing), "{with}: {found:?}");
    }
    let encrypt = "\"Action\": \"kms:Encrypt\",\n      \"Resource\": \"*\"";
    for resource in [
        "arn:aws:kms:us-east-1:999999999999:key/x",
        "arn:aws:kms:us-east-1:111122223333:alias/x",
    ] {
        let elsewhere = encrypt.replace("\"*\"", &format!("\"{resource}\""));
        let found = changed(&[(encrypt, &elsewhere)]);
        assert!(rules(&found).contains(&missing), "{resource}");
    }
    let own = encrypt.replace("\"*\"", "\"arn:aws:kms:us-east-1:111122223333:key/x\"");
    assert!(!rules(&changed(&[(encrypt, &own)])).contains(&missing));
    let nobody = format!("\"{}\"", "f".repeat(96));
    assert!(!rules(&changed(&[(&image, &nobody)])).contains(&missing));
}

/// A Deny that leaves `PutKeyPolicy` to the root user alone takes break-glass from the account's IAM principals.
#[test]
fn a_deny_may_take_break_glass_from_iam() {
    let warning = (RuleId::ConditionalBreakGlass, Severity::Warning);
    for (members, warned) in [
        (
            r#""Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalType":"Account"}}"#,
            true,
        ),
        (
            r#""Principal":"*","Condition":{"ArnNotEquals":{"aws:PrincipalArn":["arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin","arn:aws:iam::111122223333:root"]}}"#,
            true,
        ),
        (
            r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"}"#,
            true,
        ),
        // It holds for the root user, too, where it holds: a fence, and a note.
        (
            r#""Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
            false,
        ),
        (
            r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/R"}"#,
            false,
        ),
        (
            r#""Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}}"#,
            false,
        ),
    ] {
        let found = extra(&format!(
            r#""Effect":"Deny",{members},"Action":"kms:PutKeyPolicy","Resource":"*""#
        ));
        assert_eq!(
            rules(&found).contains(&warning),
            warned,
            "{members}: {found:?}"
        );
    }
    // Who is left is said: with the admin role, until that is lost.
    let spared = |arns: &str| {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Resource":"*","Condition":{{"ArnNotEquals":{{"aws:PrincipalArn":{arns}}}}}"#
        ));
        let told = found.iter().find(|one| one.rule == warning.0).unwrap();
        told.message.clone()
    };
    let root = r#""arn:aws:iam::111122223333:root""#;
    let admin = r#""arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin""#;
    let enclave = format!("\"{ENCLAVE}\"");
    assert_eq!(
        spared(&format!("[{root},{admin},{enclave}]")),
        "statement Extra denies kms:PutKeyPolicy to IAM principals of the account other than the admin role, and once that is lost only the root user is left: organisations delete the root user's credentials in their accounts"
    );
    assert!(spared(root).contains("of the account and leaves it to the root user: organisations"));
    // Named is the one that does it, whatever other Deny is before it.
    let deny = |sid: &str, members: &str, action: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Deny",{members},"Action":"kms:{action}","Resource":"*"}}"#
        )
    };
    let role = r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/R"}"#;
    let leaves =
        r#""Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalType":"Account"}}"#;
    let three = [
        deny("OfOne", role, "PutKeyPolicy"),
        deny("OfAll", leaves, "TagResource"),
        deny("LeavesRoot", leaves, "PutKeyPolicy"),
    ];
    let found = lint(&with(&three.join(",")), &template());
    let told = found.iter().find(|one| one.rule == warning.0).unwrap();
    assert!(
        told.message.starts_with("statement LeavesRoot denies"),
        "{}",
        told.message
    );
    // Break-glass for the own key by its ARN is break-glass.
    let all = "\"kms:*\",\n      \"Resource\": \"*\"";
    let own = all.replace("\"*\"", "\"arn:aws:kms:us-east-1:111122223333:key/x\"");
    assert_eq!(rules(&changed(&[(all, &own)])), []);
}

/// Whoever may end the key, or take it from its owner, is one more administrator.
#[test]
fn others_who_may_end_the_key_are_a_warning() {
    let warning = [(RuleId::OtherAdministrator, Severity::Warning)];
    for action in [
        "ScheduleKeyDeletion",
        "DisableKey",
        "TagResource",
        "RevokeGrant",
        "UpdatePrimaryRegion",
    ] {
        let of = |who: &str| {
            rules(&extra(&format!(
                r#""Effect":"Allow","Principal":{{"AWS":"{who}"}},"Action":"kms:{action}","Resource":"*""#
            )))
        };
        assert_eq!(
            of("arn:aws:iam::111122223333:role/Evil"),
            warning,
            "{action}"
        );
        assert_eq!(
            of("arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"),
            [],
            "{action}"
        );
        assert_eq!(of("111122223333"), [], "{action}");
    }
}

/// The template's own statements without their names are to be named, not removed.
#[test]
fn own_statements_without_a_sid_are_to_be_named() {
    let text = SEED.replace(
        "AllowChamberEnclaveDecryptWithAttestation",
        "EnclaveDecrypt",
    );
    let found = lint(&Policy::parse(&text).unwrap(), &template());
    let foreign = found
        .iter()
        .find(|one| one.rule == RuleId::ForeignAllow)
        .unwrap();
    assert!(
        foreign
            .cure
            .starts_with("Give it the Sid of statement 3 or 4"),
        "{}",
        foreign.cure
    );
    // What opens the key without an image is none of the five.
    let ungated = text.replace("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase");
    let found = lint(&Policy::parse(&ungated).unwrap(), &template());
    let mut foreign = found.iter().filter(|one| one.rule == RuleId::ForeignAllow);
    assert!(
        foreign.all(|one| one.cure.starts_with("Remove it")),
        "{found:?}"
    );
}

/// A Deny on a register that statement 3 does not pin depends on it.
#[test]
fn a_register_that_nobody_pins_is_what_a_deny_depends_on() {
    let deny = |register: &str| {
        extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{"StringNotEquals":{{"kms:RecipientAttestation:{register}":"{}"}}}}"#,
            "88".repeat(48)
        ))
    };
    let note = deny("PCR8")
        .into_iter()
        .find(|one| one.rule == RuleId::DependsOnContext);
    assert!(
        note.unwrap()
            .message
            .ends_with("depending on kms:RecipientAttestation:PCR8")
    );
}

/// A condition and its complement in two Deny statements: together they always hold.
#[test]
fn two_denies_that_only_together_hold_are_one() {
    let vpce = |operator: &str| format!(r#""{operator}":{{"aws:SourceVpce":"v"}}"#);
    let deny = |sid: &str, action: &str, condition: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Deny","Principal":"*","Action":"{action}","Resource":"*","Condition":{{{condition}}}}}"#
        )
    };
    for (action, rule, severity, message) in [
        (
            "kms:Decrypt",
            RuleId::EnclaveDenied,
            Severity::Error,
            "statement One and Other keeps the enclave role from kms:Decrypt with an image that is admitted",
        ),
        (
            "kms:Encrypt",
            RuleId::EncryptDenied,
            Severity::Warning,
            "statement One and Other denies kms:Encrypt to the enclave role: it cannot carry an attestation",
        ),
        (
            "kms:PutKeyPolicy",
            RuleId::MissingBreakGlass,
            Severity::Error,
            "statement One and Other together deny kms:PutKeyPolicy to arn:aws:iam::111122223333:root: nobody could mend this policy",
        ),
    ] {
        let one = deny("One", action, &vpce("StringEquals"));
        let other = deny("Other", action, &vpce("StringNotEquals"));
        let found = lint(&with(&format!("{one},{other}")), &template());
        assert_eq!(rules(&found), [(rule, severity)], "{action}");
        let told = found.iter().find(|finding| finding.rule == rule).unwrap();
        assert_eq!(told.message, message);
        let none = lint(&with(&format!("{one},{one}")), &template());
        assert_eq!(rules(&none), [], "{action}");
        // One that spares the images that are admitted has no part in it.
        let images = [1, 2].map(|byte| release(byte).image_sha384.to_string());
        let spares =
            format!(r#""StringNotEquals":{{"kms:RecipientAttestation:ImageSha384":{images:?}}}"#);
        let three = [one.clone(), deny("Spares", "kms:Decrypt", &spares), other];
        let found = lint(&with(&three.join(",")), &template());
        let told = found.iter().find(|finding| finding.rule == rule).unwrap();
        assert_eq!(told.message, message);
        // Of three, too, of which no two are enough.
        let text =
            |operator: &str, value: &str| format!(r#""{operator}":{{"aws:SourceVpce":{value}}}"#);
        let three = [
            deny("One", action, &text("StringEquals", r#""v""#)),
            deny("Two", action, &text("StringEquals", r#""w""#)),
            deny("Other", action, &text("StringNotEquals", r#"["v","w"]"#)),
        ];
        let found = lint(&with(&three.join(",")), &template());
        assert_eq!(rules(&found), [(rule, severity)], "{action}");
        let found = lint(&with(&three[..2].join(",")), &template());
        assert_eq!(rules(&found), [], "{action}");
    }
    // What always holds without its key's value being known, beside something that has nothing to do with it.
    for always in [
        r#""StringLikeIfExists":{"aws:SourceVpc":"*"}"#,
        r#""StringLike":{"kms:KeySpec":"*"}"#,
    ] {
        let one = deny("One", "kms:Decrypt", always);
        let other = deny("Other", "kms:Decrypt", &vpce("StringNotEquals"));
        let found = lint(&with(&format!("{one},{other}")), &template());
        assert_eq!(
            rules(&found),
            [(RuleId::EnclaveDenied, Severity::Error)],
            "{always}"
        );
    }
    // A role's session has no user name, from which therefore everything differs.
    let one = deny(
        "One",
        "kms:Decrypt",
        r#""StringNotEquals":{"aws:SourceVpc":"${aws:username}"}"#,
    );
    let other = deny("Other", "kms:Decrypt", &vpce("StringEquals"));
    let found = lint(&with(&format!("{one},{other}")), &template());
    assert_eq!(rules(&found), [(RuleId::EnclaveDenied, Severity::Error)]);
    // Statement 5 in two halves.
    let null = r#""Null":{"kms:RecipientAttestation:ImageSha384":"true"}"#;
    let halves = |second: &str| {
        let text = SEED.replace(
            "\"Null\": {",
            &format!("{}, \"Null\": {{", vpce("StringEquals")),
        );
        let actions = ["Decrypt", "GenerateDataKey*", "ReEncrypt*"];
        let rest = actions.map(|name| {
            let condition = format!("{},{null}", vpce(second));
            deny(
                &format!("Rest{}", &name[..2]),
                &format!("kms:{name}"),
                &condition,
            )
        });
        let end = text.rfind(']').unwrap();
        let text = format!("{},{}{}", &text[..end], rest.join(","), &text[end..]);
        rules(&lint(&Policy::parse(&text).unwrap(), &template()))
    };
    assert_eq!(halves("StringNotEquals"), []);
    assert_eq!(
        halves("StringEquals"),
        [(RuleId::MissingDeny, Severity::Error)]
    );
}

/// What a Deny of Encrypt or `PutKeyPolicy`, or an own Allow, depends on is a note, too.
#[test]
fn what_wrapping_and_mending_depend_on_is_a_note() {
    let fence = |key: &str, actions: &str| {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":{actions},"Resource":"*","Condition":{{"StringNotEquals":{{"{key}":"a"}}}}"#
        ));
        assert_eq!(rules(&found), [], "{key} {actions}");
        let notes = found
            .into_iter()
            .filter(|one| one.rule == RuleId::DependsOnContext);
        notes.map(|one| one.message).collect::<Vec<_>>()
    };
    for (actions, wanted) in [
        (
            r#""kms:Encrypt""#,
            vec!["keeps the enclave role from kms:Encrypt depending on"],
        ),
        (
            r#""kms:Decrypt""#,
            vec!["keeps the enclave role from kms:Decrypt depending on"],
        ),
        (
            r#"["kms:Decrypt","kms:Encrypt"]"#,
            vec!["keeps the enclave role from kms:Decrypt and kms:Encrypt depending on"],
        ),
        (
            r#""kms:PutKeyPolicy""#,
            vec!["keeps the account's root from kms:PutKeyPolicy depending on"],
        ),
        (
            r#""kms:*""#,
            vec![
                "keeps the account's root from kms:PutKeyPolicy depending on",
                "keeps the enclave role from kms:Decrypt and kms:Encrypt depending on",
            ],
        ),
        (r#""kms:Sign""#, vec![]),
    ] {
        let wanted = wanted
            .iter()
            .map(|what| format!("statement Extra {what} aws:SourceVpce"));
        let mut found = fence("aws:SourceVpce", actions);
        found.sort();
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort();
        assert_eq!(found, wanted, "{actions}");
    }
    // Who does not bypass KMS's check of lock-out is not asked about it.
    let bypass = extra(
        r#""Effect":"Deny","Principal":"*","Action":["kms:CreateKey","kms:PutKeyPolicy"],"Resource":"*","Condition":{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}"#,
    );
    assert_eq!(rules(&bypass), []);
    assert!(
        bypass
            .iter()
            .all(|one| one.rule != RuleId::DependsOnContext),
        "{bypass:?}"
    );
    let key = "\"StringEqualsIgnoreCase\": {";
    let vpce = format!("\"StringEquals\": {{\"aws:SourceVpce\": \"v\"}}, {key}");
    let found = changed(&[(key, &vpce)]);
    let not_ours = [(RuleId::PolicyNotOurs, Severity::Warning)];
    assert_eq!(rules(&found), not_ours);
    let note = found
        .iter()
        .find(|one| one.rule == RuleId::DependsOnContext);
    assert_eq!(
        note.unwrap().message,
        "statement AllowChamberEnclaveDecryptWithAttestation gives kms:Decrypt to the enclave role depending on aws:SourceVpce"
    );
    let cure = |found: &[Finding]| {
        let mut found = found.iter();
        let note = found.find(|one| one.rule == RuleId::DependsOnContext);
        note.unwrap().cure.clone()
    };
    assert!(cure(&found).starts_with("Take the condition out: "));
    // Of statement 4 the spec can say it: the operator leaves its conditions as they are.
    let encrypt = "\"Action\": \"kms:Encrypt\",";
    let vpce =
        format!("{encrypt} \"Condition\": {{\"StringEquals\": {{\"aws:SourceVpce\": \"v\"}}}},");
    let found = changed(&[(encrypt, &vpce)]);
    assert_eq!(rules(&found), []);
    assert!(cure(&found).starts_with("Say in spec.keys.policy.assume"));
}

/// Whoever is spared can mend the policy, so the sentence says what would be lost with whom.
#[test]
fn a_lost_break_glass_says_who_is_left() {
    let admin = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";
    for (spared, message) in [
        (
            admin,
            "without its admin role nobody could mend this policy",
        ),
        (
            "arn:aws:iam::111122223333:role/Other",
            "root: nobody could mend this policy",
        ),
    ] {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Resource":"*","Condition":{{"ArnNotEquals":{{"aws:PrincipalArn":"{spared}"}}}}"#
        ));
        let error = found
            .iter()
            .find(|one| one.rule == RuleId::MissingBreakGlass);
        let told = &error.unwrap().message;
        assert!(told.ends_with(message), "{told}");
    }
    // What the administrators have the account can do with as well.
    let all = "\"Action\": \"kms:*\",";
    let admin = r#""Action": ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"],"#;
    assert_eq!(rules(&changed(&[(all, admin)])), []);
}

/// A session of the enclave role is the enclave role, and a condition that it does not fulfil keeps it out.
#[test]
fn sessions_of_the_enclave_role_manage_nothing_and_bring_nothing_back() {
    let session =
        "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/a";
    let wanted = (RuleId::EnclaveManagesKey, Severity::Error);
    let gives = |who: &str, action: &str, more: &str| {
        rules(&extra(&format!(
            r#""Effect":"Allow","Principal":{{"AWS":"{who}"}},"Action":"{action}","Resource":"*"{more}"#
        )))
    };
    for who in [ENCLAVE, session] {
        for action in [
            "kms:ScheduleKeyDeletion",
            "kms:EnableKey",
            "kms:CancelKeyDeletion",
        ] {
            assert!(gives(who, action, "").contains(&wanted), "{who} {action}");
        }
    }
    for other in [
        "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet-2/a",
        "arn:aws:sts::999999999999:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/a",
    ] {
        assert!(
            !gives(other, "kms:DisableKey", "").contains(&wanted),
            "{other}"
        );
    }
    for (condition, manages) in [
        (
            r#"{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/Other"}}"#,
            false,
        ),
        (
            r#"{"StringEquals":{"kms:CallerAccount":"111122223333"}}"#,
            true,
        ),
        (r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, true),
    ] {
        let found = gives(
            "*",
            "kms:DisableKey",
            &format!(r#","Condition":{condition}"#),
        );
        assert_eq!(found.contains(&wanted), manages, "{condition}");
    }
    let warning = [(RuleId::OtherAdministrator, Severity::Warning)];
    for action in ["EnableKey", "CancelKeyDeletion", "UntagResource"] {
        let other = "arn:aws:iam::111122223333:role/Other";
        assert_eq!(
            gives(other, &format!("kms:{action}"), ""),
            warning,
            "{action}"
        );
    }
}

/// Statements about another key, and actions that are none, do nothing.
#[test]
fn what_is_about_another_key_or_no_action_has_no_effect() {
    let idle = [(RuleId::WithoutEffect, Severity::Warning)];
    for (members, message) in [
        (
            r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/App"},"Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:111122223333:alias/a""#,
            "statement Extra is about arn:aws:kms:us-east-1:111122223333:alias/a, which is not this key, so it has no effect",
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:999999999999:key/a""#,
            "statement Extra is about arn:aws:kms:us-east-1:999999999999:key/a, which is not this key, so it has no effect",
        ),
        (
            r#""Effect":"Deny","Principal":"*","Action":"kms:Decrypt","NotResource":["*"]"#,
            "statement Extra is about everything but *, which is not this key, so it has no effect",
        ),
        (
            r#""Effect":"Deny","Principal":"*","Action":["kms:Sign","kms:Encript"],"Resource":"*""#,
            "statement Extra has the action kms:Encript, which KMS does not have",
        ),
        (
            r#""Effect":"Deny","Principal":"*","Action":["kms:ReEncrypt"],"Resource":"*""#,
            "statement Extra has the action kms:ReEncrypt, which KMS does not have",
        ),
    ] {
        let found = extra(members);
        assert_eq!(rules(&found), idle, "{members}");
        let told = found.iter().find(|one| one.rule == RuleId::WithoutEffect);
        assert_eq!(told.unwrap().message, message);
    }
    for fine in [
        r#""Action":["s3:GetObject","KMS:sign","kms:GenerateM*","kms:?erify"],"Resource":"*""#,
        r#""Action":"*","Resource":"arn:aws:kms:us-east-1:999999999999:*""#,
    ] {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":{{"AWS":"arn:aws:iam::111122223333:role/App"}},{fine}"#
        ));
        let about = fine.contains("999999999999");
        assert_eq!(rules(&found).is_empty(), !about, "{fine}");
    }
}

/// Principals that are spelt wrongly, which KMS refuses.
#[test]
fn principals_that_are_none_are_malformed() {
    let error = (RuleId::MalformedPolicy, Severity::Error);
    for (principal, message) in [
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/App"}"#,
            "names no session",
        ),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/App/a/b"}"#,
            "names no session",
        ),
        (r#"{"AWS":"arn:aws:iam::111122223333:role/"}"#, "is no role"),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:role/team/"}"#,
            "is no role",
        ),
        (
            r#"{"AWS":"arn:awz:iam::111122223333:role/App"}"#,
            "is of no partition of AWS",
        ),
        (
            r#"{"AWS":"arn:awz:iam::111122223333:root"}"#,
            "is of no partition of AWS",
        ),
        (
            r#"{"AWS":"arn:aws:iam:us-east-1:111122223333:role/App"}"#,
            "has a Region",
        ),
        (r#"{"Service":"*"}"#, "is no service"),
        (r#"{"Service":".amazonaws.com"}"#, "is no service"),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:role/A b"}"#,
            "has a blank",
        ),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/App//s"}"#,
            "names no session",
        ),
        (r#"{"Service":"*.amazonaws.com"}"#, "is no service"),
        (r#"{"Service":"ec2"}"#, "is no service"),
    ] {
        let members = format!(
            r#""Effect":"Deny","Principal":{principal},"Action":"kms:Sign","Resource":"*""#
        );
        let found = extra(&members);
        assert!(rules(&found).contains(&error), "{principal}: {found:?}");
        let told = found.iter().find(|one| one.rule == RuleId::MalformedPolicy);
        assert!(told.unwrap().message.contains(message), "{found:?}");
    }
    for fine in [
        r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/App/a@b.c"}"#,
        r#"{"AWS":"arn:aws:sts::111122223333:federated-user/bob"}"#,
        r#"{"AWS":"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_0"}"#,
        r#"{"Service":["logs.us-east-1.amazonaws.com","delivery.logs.amazonaws.com"]}"#,
    ] {
        let members =
            format!(r#""Effect":"Deny","Principal":{fine},"Action":"kms:Sign","Resource":"*""#);
        assert_eq!(rules(&extra(&members)), [], "{fine}");
    }
}

/// A policy that names its own key by its ARN is that key's; two keys cannot both be it.
#[test]
fn the_keys_own_arn_is_this_key() {
    let own = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let all = SEED.replace("\"Resource\": \"*\"", &format!("\"Resource\": \"{own}\""));
    assert_ne!(all, SEED);
    let of = |text: &str, key: Option<&str>| {
        let mut template = template();
        template.key_arn = key.map(str::to_owned);
        rules(&lint(&Policy::parse(text).unwrap(), &template))
    };
    let other = own.replace("1234abcd", "5678abcd");
    // It is this key's, and not as the operator writes statement 3.
    let not_ours = [(RuleId::PolicyNotOurs, Severity::Warning)];
    assert_eq!(of(&all, None), not_ours);
    assert_eq!(of(&all, Some(own)), not_ours);
    let missing = (RuleId::MissingDeny, Severity::Error);
    assert!(of(&all, Some(&other)).contains(&missing));
    let deny = "\"Resource\": \"*\",\n      \"Condition\": {\"Null\"";
    let here = |arn: &str| SEED.replacen(deny, &deny.replace("\"*\"", &format!("\"{arn}\"")), 1);
    assert_eq!(of(&here(own), None), []);
    assert_eq!(
        of(&here("arn:aws:kms:us-east-1:111122223333:key/*"), None),
        []
    );
    assert_eq!(of(&here(own), Some(&other)).len(), 2);
    let both = here(own).replace(&format!("\"{own}\""), &format!("[\"{own}\",\"{other}\"]"));
    assert_eq!(of(&both, Some(&other)), []);
    let twice = all.replacen(own, &other, 1);
    assert!(of(&twice, None).contains(&missing));
}

#[test]
fn a_value_of_the_wrong_length_is_no_measurement() {
    let image = release(1).image_sha384.to_string();
    let policy = template().render(&[release(1)]).to_json();
    for wrong in [&image[2..], &format!("{image}01"), "01"] {
        let policy = Policy::parse(&policy.replace(&image, wrong)).unwrap();
        let found = rules(&lint(&policy, &template()));
        let malformed = (RuleId::MalformedMeasurement, Severity::Error);
        assert!(found.contains(&malformed), "{wrong}: {found:?}");
    }
}

#[test]
fn a_denial_of_a_retired_image_spares_nothing() {
    let retired = release(3).image_sha384;
    for (operator, spares) in [("StringEquals", false), ("StringNotEquals", true)] {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{"{operator}":{{"kms:RecipientAttestation:ImageSha384":"{retired}"}}}}"#
        ));
        let found = rules(&found);
        let told = found
            .iter()
            .any(|(rule, _)| *rule == RuleId::DenySparesMeasurement);
        assert_eq!(told, spares, "{operator}: {found:?}");
    }
}

#[test]
fn whoever_statement_two_names_uses_no_key() {
    let found = changed(&[
        ("role/ChamberKmsKeyAdmin", "role/Keepers"),
        ("\"kms:Put*\"", "\"kms:Put*\", \"kms:Decrypt\""),
    ]);
    let found = rules(&found);
    let uses = (RuleId::AdminUsesKey, Severity::Error);
    assert!(found.contains(&uses), "{found:?}");
}

#[test]
fn an_enclave_that_needs_more_than_its_image_is_told_of() {
    let needs = |key: &str| {
        let conditions =
            format!("\"StringEquals\": {{\"{key}\": \"x\"}}, \"StringEqualsIgnoreCase\"");
        let found = changed(&[("\"StringEqualsIgnoreCase\"", &conditions)]);
        let told = found
            .iter()
            .find(|one| one.rule == RuleId::DependsOnContext);
        told.map(|one| one.message.clone())
    };
    let told = needs("aws:SourceVpce").unwrap();
    assert!(
        told.contains("aws:SourceVpce") && told.contains("kms:Decrypt"),
        "{told}"
    );
    assert_eq!(needs("kms:RecipientAttestation:PCR8"), None);
    // What the spec says of chambers is known.
    let mut template = template();
    let known = ("aws:SourceVpce".to_owned(), "x".to_owned());
    template.assume.extend([known]);
    let conditions = "\"StringEquals\": {\"aws:SourceVpce\": \"x\"}, \"StringEqualsIgnoreCase\"";
    let text = SEED.replacen("\"StringEqualsIgnoreCase\"", conditions, 1);
    let found = lint(&Policy::parse(&text).unwrap(), &template);
    assert!(
        found.iter().all(|one| one.rule != RuleId::DependsOnContext),
        "{found:?}"
    );
}

/// What several statements do together is said once, and of none of them alone.
#[test]
fn statements_that_lock_out_together_are_told_once() {
    let deny = |action: &str, condition: &str| {
        format!(
            r#"{{"Effect":"Deny","Principal":{{"AWS":"{ENCLAVE}"}},"Action":"{action}","Resource":"*","Condition":{{{condition}}}}}"#
        )
    };
    let is = r#""StringEquals":{"aws:SourceVpce":"vpce-1"}"#;
    let is_not = r#""StringNotEquals":{"aws:SourceVpce":"vpce-1"}"#;
    let always = r#""Null":{"aws:SourceVpce":["true","false"]}"#;
    let found = |statements: &[String]| {
        let findings = lint(&with(&statements.join(",")), &template());
        let about = [
            RuleId::EnclaveDenied,
            RuleId::EncryptDenied,
            RuleId::DependsOnContext,
        ];
        let about = findings.into_iter().filter(|one| about.contains(&one.rule));
        about
            .map(|one| (one.rule, one.severity))
            .collect::<Vec<_>>()
    };
    let open = (RuleId::DependsOnContext, Severity::Note);
    for (action, alone) in [
        ("kms:Decrypt", (RuleId::EnclaveDenied, Severity::Error)),
        ("kms:Encrypt", (RuleId::EncryptDenied, Severity::Warning)),
    ] {
        assert_eq!(found(&[deny(action, always)]), [alone]);
        assert_eq!(found(&[deny(action, is), deny(action, is_not)]), [alone]);
        assert_eq!(found(&[deny(action, is)]), [open]);
        // Where one is enough, nobody asks what the others do together.
        let all = [deny(action, always), deny(action, is), deny(action, is_not)];
        assert_eq!(found(&all), [alone, open, open]);
    }
}

/// A Deny may hold for every value of a key that is not known: then it depends on nothing.
#[test]
fn a_deny_that_no_value_escapes_is_certain() {
    let any = r#""StringLikeIfExists":{"aws:SourceVpce":"*"}"#;
    for (action, rule, severity, message) in [
        (
            "kms:Decrypt",
            RuleId::EnclaveDenied,
            Severity::Error,
            "statement Extra keeps the enclave role from kms:Decrypt with an image that is admitted",
        ),
        (
            "kms:Encrypt",
            RuleId::EncryptDenied,
            Severity::Warning,
            "statement Extra denies kms:Encrypt to the enclave role: it cannot carry an attestation",
        ),
        (
            "kms:PutKeyPolicy",
            RuleId::MissingBreakGlass,
            Severity::Error,
            "statement Extra denies kms:PutKeyPolicy to arn:aws:iam::111122223333:root: nobody could mend this policy",
        ),
    ] {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"{action}","Resource":"*","Condition":{{{any}}}"#
        ));
        assert_eq!(rules(&found), [(rule, severity)], "{action}");
        let told = found.iter().find(|finding| finding.rule == rule).unwrap();
        assert_eq!(told.message, message);
    }
    let needless = changed(&[("\"Null\": {", &format!("{any}, \"Null\": {{"))]);
    assert_eq!(rules(&needless), []);
    // Where none of the values that are tried escapes, another may.
    let escapes = [
        "StringNotLike\":{\"aws:SourceVpce\":\"a*\"}",
        "StringLike\":{\"aws:SourceVpce\":[\"a\",\"a?\"]}",
        "StringEqualsIgnoreCase\":{\"aws:SourceVpce\":\"ä\"}",
    ];
    let denies = escapes.map(|condition| {
        format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{"{condition}}}}}"#
        )
    });
    assert_eq!(rules(&lint(&with(&denies.join(",")), &template())), []);
}

#[test]
fn the_cure_of_a_foreign_allow_is_about_what_it_is() {
    let cure = |sid: &str, principal: &str| {
        let statement = format!(
            r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"kms:Decrypt","Resource":"*"}}"#
        );
        let findings = lint(&with(&statement), &template());
        let mut foreign = findings.into_iter();
        let foreign = foreign.find(|one| one.rule == RuleId::ForeignAllow);
        foreign.map(|one| one.cure).unwrap_or_default()
    };
    let (role, deleted) = (
        "arn:aws:iam::111122223333:role/Other",
        "AROAEXAMPLEEXAMPLEEX",
    );
    let own = "AllowChamberEnclaveEncryptForWrapping";
    assert!(cure("Theirs", role).starts_with("Remove it"));
    assert!(cure("Theirs", deleted).starts_with("Remove it"));
    assert!(cure(own, role).starts_with("Remove it"));
    assert!(cure(own, deleted).starts_with("Name the role by its ARN"));
}

#[test]
fn a_denial_of_another_clusters_role_shares_none() {
    let other = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-other";
    for (effect, shares) in [("Allow", true), ("Deny", false)] {
        let found = extra(&format!(
            r#""Effect":"{effect}","Principal":{{"AWS":"{other}"}},"Action":"kms:Decrypt","Resource":"*""#
        ));
        let told = found.iter().any(|one| one.rule == RuleId::SharedRole);
        assert_eq!(told, shares, "{effect}");
    }
}

#[test]
fn a_grant_is_for_a_principal_or_for_a_service() {
    let listed = |grantee: [Option<&str>; 2]| {
        let grantee = grantee.map(|one| one.map(str::to_owned));
        key_policy::Grant::listed(
            Some("id".to_owned()),
            None,
            grantee,
            ["Decrypt"].into_iter(),
        )
    };
    let grant = listed([Some("arn"), None]);
    assert_eq!((grant.id.as_str(), grant.grantee.as_str()), ("id", "arn"));
    assert_eq!(grant.operations, ["Decrypt"]);
    assert_eq!(
        listed([None, Some("dynamodb.amazonaws.com")]).grantee,
        "dynamodb.amazonaws.com"
    );
}

/// The notes about IAM and grants go where every other image is denied to everybody, and only there.
#[test]
fn only_a_denial_of_every_other_image_binds_everybody() {
    let live = release(1).image_sha384;
    let other = format!(
        r#""StringNotEqualsIgnoreCase":{{"kms:RecipientAttestation:ImageSha384":"{live}"}}"#
    );
    let any = r#""Null":{"kms:RecipientAttestation:ImageSha384":"false"}"#.to_owned();
    let grants = |effect: &str, condition: &str| {
        let findings = extra(&format!(
            r#""Effect":"{effect}","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{{condition}}}"#
        ));
        findings
            .iter()
            .any(|one| one.rule == RuleId::AdminCreatesGrants)
    };
    assert!(!grants("Deny", &other), "that is what Pinned does");
    assert!(grants("Allow", &other));
    assert!(grants("Deny", &any));
}

#[test]
fn capital_letters_matter_to_operators_that_mind_them() {
    let image = release(1).image_sha384.to_string();
    let policy = template().render(&[release(0xab)]).to_json();
    let capitals = policy.replace(&release(0xab).image_sha384.to_string(), &"AB".repeat(48));
    assert!(!policy.contains(&image));
    let told = |text: &str| {
        let findings = lint(&Policy::parse(text).unwrap(), &template());
        findings.iter().any(|one| one.rule == RuleId::CaseSensitive)
    };
    assert!(!told(&capitals));
    assert!(told(
        &capitals.replace("StringEqualsIgnoreCase", "StringEquals")
    ));
}

/// A Deny of a session of the enclave role is no error and no silence: nobody knows the names of chambers' sessions.
#[test]
fn a_deny_of_a_session_is_a_note() {
    let session =
        "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/i-1";
    for (principal, action, told) in [
        (
            format!(r#"{{"AWS":"{session}"}}"#),
            "kms:Decrypt",
            "kms:Decrypt",
        ),
        (
            format!(r#"{{"AWS":"{session}"}}"#),
            "kms:Encrypt",
            "kms:Encrypt",
        ),
        (
            format!(r#"{{"AWS":"{session}"}}"#),
            "kms:*",
            "kms:Decrypt and kms:Encrypt",
        ),
    ] {
        let found = extra(&format!(
            r#""Effect":"Deny","Principal":{principal},"Action":"{action}","Resource":"*""#
        ));
        assert_eq!(rules(&found), [], "{action}");
        let mut notes = found
            .iter()
            .filter(|one| one.rule == RuleId::DependsOnContext);
        let note = notes.next().unwrap();
        assert_eq!(
            note.message,
            format!("statement Extra keeps the enclave role from {told} depending on session name")
        );
        assert!(note.cure.starts_with("Take the session out") || action == "kms:Encrypt");
        assert!(notes.next().is_none(), "{action}");
    }
    // An Allow of one session lets the others wait.
    let text = SEED.replacen(
        &format!("\"{ENCLAVE}\"}},\n      \"Action\": \"kms:Encrypt\""),
        &format!("\"{session}\"}},\n      \"Action\": \"kms:Encrypt\""),
        1,
    );
    assert_ne!(text, SEED);
    let found = rules(&lint(&Policy::parse(&text).unwrap(), &template()));
    let missing = (RuleId::MissingStatement, Severity::Warning);
    assert!(found.contains(&missing), "{found:?}");
}

/// A policy without a fault that the operator stops at is told of, and whether adopt mends it.
#[test]
fn what_the_operator_stops_at_is_a_warning() {
    let second = "\"Sid\": \"AllowKeyAdministrators\",\n      \"Effect\": \"Allow\"";
    let decrypt = "\"Action\": \"kms:Decrypt\",\n      \"Resource\": \"*\"";
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let resource = decrypt.replace("\"*\"", &format!("\"{key}\""));
    let action = decrypt.replace("\"kms:Decrypt\"", "[\"kms:Decrypt\", \"kms:DescribeKey\"]");
    let equals = "\"StringEqualsIgnoreCase\": {";
    let vpce = format!("\"StringEquals\": {{\"aws:SourceVpce\": \"v\"}}, {equals}");
    let account =
        format!("\"StringEquals\": {{\"kms:CallerAccount\": \"111122223333\"}}, {equals}");
    let set = equals.replace("\"S", "\"ForAnyValue:S");
    for (from, to, told, adopts) in [
        (
            "EnableIAMRootPermissionsBreakGlass",
            "Enable IAM User Permissions",
            "has no statement EnableIAMRootPermissionsBreakGlass",
            true,
        ),
        (
            second,
            &second.replace("AllowKeyAdministrators", "Keepers"),
            "has no statement AllowKeyAdministrators",
            true,
        ),
        (
            "DenyDataOpsWithoutAttestation",
            "Attested",
            "has no statement DenyDataOpsWithoutAttestation",
            true,
        ),
        (decrypt, &resource, "has another resource than \"*\"", true),
        (decrypt, &action, "has other actions than kms:Decrypt", true),
        (
            equals,
            &vpce,
            "has the operator StringEquals, expected StringEqualsIgnoreCase alone",
            false,
        ),
        (
            equals,
            &account,
            "has the operator StringEquals, expected StringEqualsIgnoreCase alone",
            false,
        ),
        (
            equals,
            &format!("{equals}\"aws:SourceVpce\": \"v\", "),
            "has the condition key aws:SourceVpce",
            false,
        ),
        // This is one of the errors.
        (equals, &set, "", false),
    ] {
        let found = changed(&[(from, to)]);
        let one = found.iter().find(|one| one.rule == RuleId::PolicyNotOurs);
        let told_of = one.map_or("", |one| &one.message);
        assert!(
            told_of.contains(told) && told_of.is_empty() == told.is_empty(),
            "{to}: {found:?}"
        );
        let error = found.iter().any(|one| one.severity == Severity::Error);
        assert_eq!(error, told.is_empty(), "{to}: {found:?}");
        let mends = one.is_some_and(|one| {
            one.cure
                .starts_with("On a Managed key spec.keys.policy.adopt")
        });
        assert_eq!(mends, adopts, "{to}");
        // What adopt mends it mends.
        let text = SEED.replacen(from, to, 1);
        let policy = Policy::parse(&text).unwrap();
        if adopts {
            let adopted = key_policy::adopt(&policy, &template(), &[release(2)]);
            assert_eq!(key_policy::projects(&adopted, &template()), Ok(()), "{to}");
        }
        // It is at the statement that it is about.
        if told.starts_with("has no") || one.is_none() {
            continue;
        }
        let sarif = key_policy::report::sarif(&found, "policy.json", &text);
        let mut results = sarif["runs"][0]["results"].as_array().unwrap().iter();
        let result = results
            .find(|one| one["ruleId"] == "policy-not-ours")
            .unwrap();
        let line = &result["locations"][0]["physicalLocation"]["region"]["startLine"];
        let sid = text
            .lines()
            .position(|line| line.contains("AllowChamberEnclaveDecryptWithAttestation"));
        let sid = sid.unwrap() as u64;
        assert!(
            [sid, sid + 1].contains(&line.as_u64().unwrap()),
            "{line} {sid}"
        );
    }
}

/// What an Allow with warnings or errors is called, and of whom: the first, without findings about the enclave role.
fn first_of_an_allow(principal: &str, action: &str, condition: &str) -> String {
    let found = extra(&format!(
        r#""Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"*","Condition":{{{condition}}}"#
    ));
    let mut found = found.into_iter().filter(|one| {
        one.severity > Severity::Note
            && ![RuleId::UniqueIdPrincipal, RuleId::EnclaveManagesKey].contains(&one.rule)
    });
    let first = found.next();
    assert_eq!(found.next(), None);
    first.map_or_else(String::new, |one| {
        let message = one.message.replace("statement Extra ", "");
        format!("{} {}: {message}", one.severity, one.rule)
    })
}

const APP: &str = r#"{"AWS":"arn:aws:iam::111122223333:role/App"}"#;
const ABROAD: &str = r#"{"AWS":"arn:aws:iam::999999999999:role/App"}"#;

/// Another account is refused some actions whatever a policy says: they are no way to the key.
#[test]
fn what_another_account_is_refused_is_not_given() {
    for (principal, action, told) in [
        (
            ABROAD,
            "PutKeyPolicy",
            "warning without-effect: never gives kms:PutKeyPolicy to arn:aws:iam::999999999999:role/App: another account is refused it whatever a policy says",
        ),
        (
            ABROAD,
            "DisableKey",
            "warning without-effect: never gives kms:DisableKey",
        ),
        (
            r#"{"AWS":"999999999999"}"#,
            "ReplicateKey",
            "warning without-effect: never gives kms:ReplicateKey",
        ),
        (
            ABROAD,
            "RevokeGrant",
            "warning other-administrator: gives kms:RevokeGrant",
        ),
        (
            ABROAD,
            "CreateGrant",
            "error foreign-allow: gives kms:CreateGrant",
        ),
        (
            r#"{"AWS":"999999999999"}"#,
            "Decrypt",
            "error foreign-allow: gives kms:Decrypt",
        ),
        (
            r#""*""#,
            "PutKeyPolicy",
            "error foreign-allow: gives kms:PutKeyPolicy",
        ),
        (
            r#"{"Service":"ec2.amazonaws.com"}"#,
            "PutKeyPolicy",
            "error foreign-allow: gives kms:PutKeyPolicy",
        ),
        (
            r#"{"AWS":"AROAEXAMPLEEXAMPLEEXA"}"#,
            "PutKeyPolicy",
            "error foreign-allow: gives kms:PutKeyPolicy",
        ),
    ] {
        let found = first_of_an_allow(principal, &format!("kms:{action}"), "");
        assert!(found.starts_with(told), "{principal} {action}: {found}");
    }
    // Whom NotPrincipal lists is who is not meant.
    let others = extra(
        r#""Effect":"Allow","NotPrincipal":{"AWS":"999999999999"},"Action":"kms:PutKeyPolicy","Resource":"*""#,
    );
    let foreign = (RuleId::ForeignAllow, Severity::Error);
    assert!(rules(&others).contains(&foreign), "{others:?}");
    let all = first_of_an_allow(ABROAD, "kms:*", "");
    assert!(
        all.contains("kms:DeriveSharedSecret, kms:CreateGrant to"),
        "{all}"
    );
}

/// Encrypt and `PutKeyPolicy` carry no attestation.
#[test]
fn what_asks_for_an_attestation_gives_what_carries_one() {
    let image = release(1).image_sha384;
    let image = format!(r#""StringEquals":{{"kms:RecipientAttestation:ImageSha384":"{image}"}}"#);
    let tpm = r#""StringEquals":{"kms:RecipientAttestation:NitroTPMPCR4":"ab"}"#;
    let null = r#""Null":{"kms:RecipientAttestation:ImageSha384":"true"}"#;
    for (action, condition, told) in [
        (
            "Encrypt",
            &*image,
            "warning without-effect: never gives kms:Encrypt to arn:aws:iam::111122223333:role/App: its conditions cannot hold there",
        ),
        (
            "PutKeyPolicy",
            &image,
            "warning without-effect: never gives kms:PutKeyPolicy to arn:aws:iam::111122223333:role/App: its conditions cannot hold there",
        ),
        (
            "Disable*",
            &image,
            "warning without-effect: never gives kms:DisableKey",
        ),
        (
            "Encrypt",
            tpm,
            "warning without-effect: never gives kms:Encrypt",
        ),
        ("Decrypt", &image, "error foreign-allow: gives kms:Decrypt"),
        ("Decrypt", tpm, "error foreign-allow: gives kms:Decrypt"),
        (
            "*",
            &image,
            "error foreign-allow: gives kms:Decrypt, kms:GenerateDataKey, kms:GenerateDataKeyPair, kms:DeriveSharedSecret to",
        ),
        ("Encrypt", null, "error foreign-allow: gives kms:Encrypt"),
    ] {
        let found = first_of_an_allow(APP, &format!("kms:{action}"), condition);
        assert!(found.starts_with(told), "{action} {condition}: {found}");
    }
    // A Deny that cannot hold is a harmless one.
    let found = extra(&format!(
        r#""Effect":"Deny","Principal":{APP},"Action":"kms:Encrypt","Resource":"*","Condition":{{{image}}}"#
    ));
    assert_eq!(rules(&found), []);
}

/// What follows from whom a statement names decides whether it gives anything.
#[test]
fn what_whoever_is_named_cannot_fulfil_is_not_given() {
    let caller = r#""StringEquals":{"kms:CallerAccount":"999999999999"}"#;
    let arn = r#""ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/team/App"}"#;
    let session = r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/App/s"}"#;
    let both = r#"{"AWS":["111122223333","999999999999"]}"#;
    let own = r#""StringEquals":{"aws:PrincipalOrgID":"o-1"}"#;
    let role = r#""StringEquals":{"aws:PrincipalType":"AssumedRole"}"#;
    let user = r#""StringEquals":{"aws:PrincipalType":"User"}"#;
    let ops = r#"{"AWS":"arn:aws:iam::111122223333:user/Ops"}"#;
    for (principal, condition, gives) in [
        (APP, caller, false),
        (r#"{"AWS":"111122223333"}"#, caller, false),
        (ABROAD, caller, true),
        (r#""*""#, caller, true),
        (both, caller, true),
        (APP, own, true),
        (APP, arn, false),
        (APP, role, true),
        (APP, user, false),
        (ops, role, false),
        (ops, user, true),
        // A session may be that of a role with a path.
        (session, arn, true),
    ] {
        let found = first_of_an_allow(principal, "kms:Decrypt", condition);
        let told = if gives {
            "error foreign-allow: gives kms:Decrypt"
        } else {
            "warning without-effect: never gives kms:Decrypt"
        };
        assert!(found.starts_with(told), "{principal} {condition}: {found}");
    }
    let own = r#""StringEquals":{"kms:CallerAccount":"111122223333"}"#;
    let abroad = first_of_an_allow(ABROAD, "kms:Decrypt", own);
    assert!(
        abroad.ends_with("role/App: its conditions cannot hold there"),
        "{abroad}"
    );
    // What no key policy governs is not judged.
    assert_eq!(first_of_an_allow(APP, "kms:ListKeys", caller), "");
}

/// What was found of one statement does not silence another, and only some of it says what this rule would.
#[test]
fn each_statement_that_never_gives_is_told_of() {
    let gives = format!(
        r#"{{"Sid":"Gives","Effect":"Allow","Principal":{APP},"Action":"kms:Decrypt","Resource":"*"}}"#
    );
    let never = |members: &str| {
        let statement = format!(
            r#"{gives},{{"Sid":"Never","Effect":"Allow","Action":"kms:Decrypt",{members},"Condition":{{"stringequals":{{"kms:CallerAccount":"999999999999"}}}}}}"#
        );
        let found = lint(&with(&statement), &template());
        let told = found.iter().filter(|one| one.message.contains("Never"));
        told.map(|one| one.rule).collect::<Vec<_>>()
    };
    let told = never(&format!(r#""Principal":{APP},"Resource":"*""#));
    assert_eq!(told, [RuleId::OperatorCase, RuleId::WithoutEffect]);
    for empty in [
        r#""Principal":{"AWS":[]},"Resource":"*""#.to_owned(),
        format!(r#""Principal":{APP},"Resource":[]"#),
    ] {
        let told = never(&empty);
        assert_eq!(told, [RuleId::EmptyList, RuleId::OperatorCase], "{empty}");
    }
}

/// What a key that KMS never sets makes of a statement is said, whatever the statement is.
#[test]
fn a_key_that_is_none_has_a_consequence() {
    let always = ", so it always holds: everybody it names is denied";
    let never = ", so it never holds: nobody is denied";
    let allows = ", so it always holds: everybody it names is allowed, without an attestation";
    for (effect, condition, then) in [
        ("Deny", r#""StringNotEquals":{"KEY":"a"}"#, always),
        ("Deny", r#""StringNotEqualsIgnoreCase":{"KEY":"a"}"#, always),
        ("Deny", r#""StringEqualsIfExists":{"KEY":"a"}"#, always),
        ("Deny", r#""Null":{"KEY":"true"}"#, always),
        ("Deny", r#""Null":{"KEY":"false"}"#, never),
        ("Deny", r#""StringEquals":{"KEY":"a"}"#, never),
        (
            "Deny",
            r#""ForAnyValue:StringNotEquals":{"KEY":"a"}"#,
            never,
        ),
        (
            "Deny",
            r#""StringNotEquals":{"KEY":"a"},"Bool":{"aws:MultiFactorAuthPresent":"true"}"#,
            ", so this condition always holds: the others decide alone",
        ),
        (
            "Allow",
            r#""StringEquals":{"KEY":"a"}"#,
            ", so it never holds: nobody is allowed",
        ),
        ("Allow", r#""Null":{"KEY":"true"}"#, allows),
        (
            "Allow",
            r#""Null":{"KEY":"true"},"Bool":{"aws:MultiFactorAuthPresent":"true"}"#,
            ", so this condition always holds: the others decide alone",
        ),
    ] {
        for key in ["kms:RecipientAttestation:PCRs", "kms:RecipientAttestation"] {
            let condition = condition.replace("KEY", key);
            let found = extra(&format!(
                r#""Effect":"{effect}","Principal":{APP},"Action":"kms:Decrypt","Resource":"*","Condition":{{{condition}}}"#
            ));
            let mut found = found.iter();
            let told = found.find(|one| one.rule == RuleId::UnknownAttestationKey);
            let wanted = format!("statement Extra has the key {key}, which KMS never sets{then}");
            assert_eq!(told.unwrap().message, wanted, "{effect} {condition}");
        }
    }
}

/// A tag, or an agent, that is compared as true or false may be something else, and whoever has it is not denied.
#[test]
fn a_deny_of_some_values_of_a_tag_is_none_of_everybody() {
    let null = "{\"Null\": {\"kms:RecipientAttestation:ImageSha384\": \"true\"}}";
    let missing = (RuleId::MissingDeny, Severity::Error);
    for (key, told) in [
        ("aws:PrincipalTag/prod", true),
        ("aws:UserAgent", true),
        ("aws:SecureTransport", false),
    ] {
        let both = format!(r#""BoolIfExists":{{"{key}":["true","false"]}}"#);
        let to = null.replace("}}", &format!("}}, {both}}}"));
        let found = rules(&changed(&[(null, &to)]));
        assert_eq!(found.contains(&missing), told, "{key}: {found:?}");
    }
}

/// Where the operator stops is said beside every error, but for one that is about the same.
#[test]
fn where_the_operator_stops_is_said_beside_other_errors() {
    let stranger = r#"{"Sid":"Extra","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/App"},"Action":"kms:Decrypt","Resource":"*"}"#;
    let equals = "\"StringEqualsIgnoreCase\": {";
    let account =
        format!("\"StringEquals\": {{\"kms:CallerAccount\": \"111122223333\"}}, {equals}");
    let set = equals.replace("\"S", "\"ForAnyValue:S");
    let role = "ChamberEnclaveRole-prod-us-east-1-mainnet";
    let deny = "DenyDataOpsWithoutAttestation";
    let decrypt = "AllowChamberEnclaveDecryptWithAttestation";
    let root = "EnableIAMRootPermissionsBreakGlass";
    for (changes, error, said) in [
        (vec![(equals, account.as_str())], None, true),
        (vec![(root, "Enable IAM User Permissions")], None, true),
        // These are errors of statement 3, and of both that are the enclave role's.
        (
            vec![(equals, &set)],
            Some(RuleId::DecryptWithoutAttestation),
            false,
        ),
        (
            vec![(role, "Other"), (role, "Other")],
            Some(RuleId::ForeignAllow),
            false,
        ),
        // These say to put the statement back, or to give it its name.
        (
            vec![(deny, "Attested"), ("\"kms:ReEncryptTo\"", "\"kms:Sign\"")],
            Some(RuleId::MissingDeny),
            false,
        ),
        (
            vec![(root, "Root"), ("\"kms:*\"", "\"kms:List*\"")],
            Some(RuleId::MissingBreakGlass),
            false,
        ),
        (
            vec![(decrypt, "Decrypt")],
            Some(RuleId::ForeignAllow),
            false,
        ),
        (
            vec![("AllowKeyAdministrators", decrypt)],
            Some(RuleId::RepeatedSid),
            false,
        ),
        // Another statement is missing than the one that the error is about.
        (
            vec![
                (root, "Enable IAM User Permissions"),
                ("\"kms:ReEncryptTo\"", "\"kms:Sign\""),
            ],
            Some(RuleId::MissingDeny),
            true,
        ),
        (
            vec![(deny, "Attested"), ("\"kms:*\"", "\"kms:List*\"")],
            Some(RuleId::MissingBreakGlass),
            true,
        ),
    ] {
        let mut text = SEED.to_owned();
        for (from, to) in &changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let told = |text: &str| {
            let found = lint(&Policy::parse(text).unwrap(), &template());
            let has = |rule| found.iter().any(|one| one.rule == rule);
            assert!(error.is_none_or(has), "{changes:?}: {found:?}");
            let errors = found.iter().any(|one| one.severity == Severity::Error);
            (has(RuleId::PolicyNotOurs), errors)
        };
        assert_eq!(told(&text), (said, error.is_some()), "{changes:?}");
        let end = text.rfind(']').unwrap();
        let more = format!("{},{stranger}]{}", &text[..end], &text[end + 1..]);
        assert_eq!(told(&more), (said, true), "{changes:?}");
    }
}

/// A note names what is not known: the time, or a variable, and nothing that holds whatever it is.
#[test]
fn a_note_names_what_decides_and_is_not_known() {
    let dates = r#""DateGreaterThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}"#;
    let variable = r#""StringEquals":{"aws:PrincipalAccount":"${aws:SourceAccount}"}"#;
    let both = r#""StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}"#;
    let always =
        r#""Null":{"aws:SourceVpc":["true","false"]},"StringEquals":{"aws:SourceVpce":"v"}"#;
    let known = r#""StringNotEquals":{"aws:PrincipalAccount":"1"},"StringEquals":{"AWS:sourcevpce":"v","aws:SourceVpce":"v"}"#;
    let image = release(1).image_sha384;
    let attested = format!(
        r#""StringEquals":{{"kms:RecipientAttestation:PCR0":"{image}","aws:SourceVpce":"v"}}"#
    );
    for (condition, on) in [
        (dates, "aws:CurrentTime"),
        (variable, "aws:SourceAccount"),
        (both, "aws:SourceVpc, aws:PrincipalTag/vpc"),
        (always, "aws:SourceVpce"),
        (known, "AWS:sourcevpce"),
        (attested.as_str(), "aws:SourceVpce"),
    ] {
        let of = |found: &[Finding]| {
            let notes = found.iter();
            let notes = notes.filter(|one| one.rule == RuleId::DependsOnContext);
            notes.map(|one| one.message.clone()).collect::<Vec<_>>()
        };
        let deny = |action: &str| {
            of(&extra(&format!(
                r#""Effect":"Deny","Principal":{{"AWS":"{ENCLAVE}"}},"Action":"{action}","Resource":"*","Condition":{{{condition}}}"#
            )))
        };
        let keeps = |action: &str| {
            let keeps =
                format!("statement Extra keeps the enclave role from {action} depending on {on}");
            vec![keeps]
        };
        assert_eq!(deny("kms:Decrypt"), keeps("kms:Decrypt"), "{condition}");
        if condition == attested {
            continue;
        }
        assert_eq!(deny("kms:Encrypt"), keeps("kms:Encrypt"), "{condition}");
        let encrypt = "\"Action\": \"kms:Encrypt\",";
        let allow = format!("{encrypt} \"Condition\": {{{condition}}},");
        let gives = format!(
            "statement AllowChamberEnclaveEncryptForWrapping gives kms:Encrypt to the enclave role depending on {on}"
        );
        assert_eq!(of(&changed(&[(encrypt, &allow)])), [gives], "{condition}");
    }
}

/// In the first version of the language a variable is text, on which nothing depends.
#[test]
fn a_note_names_no_variable_where_there_are_none() {
    let rest = r#""Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}}"#;
    let policy = with(&format!(r#"{{"Sid":"Extra","Effect":"Deny",{rest}}}"#));
    for (version, on) in [
        ("2012-10-17", "aws:SourceVpc, aws:PrincipalTag/vpc"),
        ("2008-10-17", "aws:SourceVpc"),
    ] {
        let text = policy.to_json().replace("2012-10-17", version);
        let policy = Policy::parse(&text).unwrap();
        let found = lint(&policy, &template());
        let mut notes = found.iter();
        let note = notes.find(|one| one.rule == RuleId::DependsOnContext);
        let wanted = format!(" depending on {on}");
        let message = &note.unwrap().message;
        assert!(message.ends_with(&wanted), "{version}: {message}");
        let denial = key_policy::foreign_deny(&policy, &template(), &release(2), None);
        let on = on.split(", ").map(str::to_owned).collect();
        let by = "Extra".to_owned();
        assert_eq!(denial, Some(Denial::Depends { by, on }), "{version}");
    }
}

/// Of several that may hold only those are named that it takes.
#[test]
fn what_has_no_part_in_a_lock_out_is_not_named() {
    let deny = |sid: &str, action: &str, operator: &str, key: &str, value: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Deny","Principal":"*","Action":"{action}","Resource":"*","Condition":{{"{operator}":{{"{key}":"{value}"}}}}}}"#
        )
    };
    for (action, rule) in [
        ("kms:Decrypt", RuleId::EnclaveDenied),
        ("kms:Encrypt", RuleId::EncryptDenied),
        ("kms:PutKeyPolicy", RuleId::MissingBreakGlass),
    ] {
        let all = [
            deny(
                "Network",
                action,
                "NotIpAddress",
                "aws:SourceIp",
                "10.0.0.0/8",
            ),
            deny("One", action, "StringEquals", "aws:SourceVpce", "v"),
            deny("Tag", action, "StringEquals", "aws:PrincipalTag/a", "b"),
            deny("Other", action, "StringNotEquals", "aws:SourceVpce", "v"),
        ];
        let found = lint(&with(&all.join(",")), &template());
        let told = found.iter().find(|finding| finding.rule == rule).unwrap();
        assert!(
            told.message.starts_with("statement One and Other "),
            "{}",
            told.message
        );
        // What else may hold is a note of its own; nobody mends that where the policy cannot be changed.
        let notes = found.iter();
        let notes = notes.filter(|one| one.rule == RuleId::DependsOnContext);
        let count = if action == "kms:PutKeyPolicy" { 0 } else { 2 };
        assert_eq!(notes.count(), count, "{action}");
    }
}

/// Which images a negated list spares is not asked: it gives to some.
#[test]
fn a_negated_list_of_images_gives_to_others() {
    let equals = "StringEqualsIgnoreCase";
    let found = changed(&[(equals, "StringNotEqualsIgnoreCase")]);
    let missing = found
        .iter()
        .find(|one| one.rule == RuleId::MissingStatement);
    assert_eq!(missing, None);
}

/// A register that statement 3 pins to one value is attested by every enclave that it admits.
#[test]
fn a_deny_of_the_pinned_register_locks_out() {
    let pins = |values: &str| {
        let image = "\"kms:RecipientAttestation:ImageSha384\":";
        let text = SEED.replacen(
            image,
            &format!("\"kms:RecipientAttestation:PCR8\": {values}, {image}"),
            1,
        );
        assert_ne!(text, SEED);
        text
    };
    let (one, other) = ("88".repeat(48), "99".repeat(48));
    let found = |text: &str, condition: &str| {
        let end = text.rfind(']').unwrap();
        let deny = format!(
            r#"{{"Sid":"Extra","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{{condition}}}}}"#
        );
        let text = format!("{},{deny}{}", &text[..end], &text[end..]);
        rules(&lint(&Policy::parse(&text).unwrap(), &template()))
    };
    let denied = [(RuleId::EnclaveDenied, Severity::Error)];
    let register = |operator: &str, value: &str| {
        format!(r#""{operator}":{{"kms:RecipientAttestation:PCR8":"{value}"}}"#)
    };
    let pinned = pins(&format!("[\"{one}\"]"));
    assert_eq!(found(&pinned, &register("StringEquals", &one)), denied);
    assert_eq!(found(&pinned, &register("StringEquals", &other)), []);
    assert_eq!(found(&pinned, &register("StringNotEquals", &one)), []);
    // Of several values nobody can say which is whose.
    let both = pins(&format!("[\"{one}\", \"{other}\"]"));
    assert_eq!(found(&both, &register("StringEquals", &one)), []);
    // By whichever operator it is pinned, and whatever else is asked for.
    let upper = "AB".repeat(48);
    for (operator, value, is_pinned) in [
        ("StringEquals", one.as_str(), true),
        ("StringLike", &one, true),
        ("ForAnyValue:StringEquals", &one, true),
        ("StringEqualsIgnoreCase", &upper, true),
        ("StringEquals", &upper, false),
        ("StringNotEquals", &one, false),
        // Who has none fulfils these, too.
        ("StringEqualsIfExists", &one, false),
        ("ForAllValues:StringEquals", &one, false),
    ] {
        let equals = "\"StringEqualsIgnoreCase\": {";
        let pin = format!(
            r#""{operator}": {{"kms:RecipientAttestation:PCR8":"{value}","aws:SourceVpce":"v"}}, {equals}"#
        );
        let pin = if operator == "StringEqualsIgnoreCase" {
            format!(
                r#""StringEquals":{{"aws:SourceVpce":"v"}},{equals}"kms:RecipientAttestation:PCR8":"{value}","#
            )
        } else {
            pin
        };
        let text = SEED.replacen(equals, &pin, 1);
        let deny = register("StringEqualsIgnoreCase", &value.to_ascii_lowercase());
        let is_denied = found(&text, &deny).contains(&denied[0]);
        assert_eq!(is_denied, is_pinned, "{operator} {value}");
    }
}

/// Two images at a time, and as many signers as there are.
#[test]
fn registers_may_have_more_than_two_values() {
    let image = "\"kms:RecipientAttestation:ImageSha384\": [";
    let values = [1, 2, 3].map(|byte| release(byte).image_sha384.to_string());
    let signers = format!("\"kms:RecipientAttestation:PCR8\": {values:?}, {image}");
    assert_eq!(rules(&changed(&[(image, &signers)])), []);
    let images = format!("{image}\"{}\", ", values[2]);
    let found = rules(&changed(&[(image, &images)]));
    assert!(
        found.contains(&(RuleId::TooManyMeasurements, Severity::Error)),
        "{found:?}"
    );
}
