//! Who may do what: the template against principals, measurements and actions; then AWS's rules one by one.
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;

use common::{release, template};
use key_policy::Policy;
use key_policy::evaluate::{self, Decision, Principal, Request};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/a";
const ACCOUNT: &str = "111122223333";
type Context = BTreeMap<String, Vec<String>>;

fn session(role: &str) -> Principal {
    Principal::session(&format!("arn:aws:iam::{ACCOUNT}:role/{role}"), ACCOUNT, "s")
}

fn enclave() -> Principal {
    session("ChamberEnclaveRole-prod-us-east-1-mainnet")
}

fn root() -> Principal {
    Principal {
        arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        account: ACCOUNT.into(),
    }
}

fn ask(
    policy: &Policy,
    identity: &[Policy],
    principal: &Principal,
    action: &str,
    context: &Context,
) -> Decision {
    evaluate::key_policy(
        policy,
        ACCOUNT,
        identity,
        &Request {
            principal,
            action,
            resource: KEY,
            context,
        },
    )
}

fn allow_all() -> Policy {
    Policy::parse(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#).unwrap()
}

#[test]
fn the_template_lets_only_the_enclave_role_with_an_admitted_measurement_decrypt() {
    let policy = template().render(&[release(1), release(2)]);
    let attested = |byte| evaluate::attested(&release(byte));
    let unattested = Context::new();
    let decrypt = |principal: &Principal, context: &Context| {
        ask(&policy, &[], principal, "kms:Decrypt", context)
    };
    let allowed = Decision::Allowed {
        by: "AllowChamberEnclaveDecryptWithAttestation".into(),
    };
    let denied = Decision::ExplicitDeny {
        by: "DenyDataOpsWithoutAttestation".into(),
    };

    assert_eq!(decrypt(&enclave(), &attested(1)), allowed);
    assert_eq!(decrypt(&enclave(), &attested(2)), allowed);
    assert_eq!(decrypt(&enclave(), &attested(3)), Decision::ImplicitDeny);
    assert_eq!(decrypt(&enclave(), &attested(0)), Decision::ImplicitDeny);
    for principal in [
        enclave(),
        root(),
        session("ChamberKmsKeyAdmin"),
        session("ChamberEnclaveRole-other"),
    ] {
        assert_eq!(decrypt(&principal, &unattested), denied, "{principal:?}");
    }
    for other in [
        session("ChamberKmsKeyAdmin"),
        session("ChamberEnclaveRole-other"),
    ] {
        assert_eq!(
            decrypt(&other, &attested(1)),
            Decision::ImplicitDeny,
            "{other:?}"
        );
    }
    // Encrypt cannot carry an attestation, and is the enclave role's alone.
    assert!(matches!(
        ask(&policy, &[], &enclave(), "kms:Encrypt", &unattested),
        Decision::Allowed { .. }
    ));
    assert_eq!(
        ask(
            &policy,
            &[],
            &session("ChamberKmsKeyAdmin"),
            "kms:Encrypt",
            &unattested
        ),
        Decision::ImplicitDeny
    );
    assert!(matches!(
        ask(
            &policy,
            &[],
            &session("ChamberKmsKeyAdmin"),
            "kms:PutKeyPolicy",
            &unattested
        ),
        Decision::Allowed { .. }
    ));
    assert_eq!(
        ask(&policy, &[], &enclave(), "kms:PutKeyPolicy", &unattested),
        Decision::ImplicitDeny
    );
}

#[test]
fn the_templates_known_hole_root_delegates_to_iam() {
    let policy = template().render(&[release(1)]);
    let somebody = session("Somebody");
    let foreign_enclave = evaluate::attested(&release(9));
    let decision = ask(
        &policy,
        &[allow_all()],
        &somebody,
        "kms:Decrypt",
        &foreign_enclave,
    );
    assert_eq!(
        decision,
        Decision::Allowed {
            by: "EnableIAMRootPermissionsBreakGlass".into()
        }
    );
    assert_eq!(
        ask(&policy, &[], &somebody, "kms:Decrypt", &foreign_enclave),
        Decision::ImplicitDeny
    );
}

#[test]
fn another_account_needs_both_sides() {
    let policy = Policy::parse(
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:role/R"},"Action":"kms:Decrypt","Resource":"*"}]}"#,
    )
    .unwrap();
    let foreign = Principal::session("arn:aws:iam::999999999999:role/path/R", "999999999999", "s");
    assert_eq!(
        ask(&policy, &[], &foreign, "kms:Decrypt", &Context::new()),
        Decision::ImplicitDeny
    );
    assert!(matches!(
        ask(
            &policy,
            &[allow_all()],
            &foreign,
            "kms:Decrypt",
            &Context::new()
        ),
        Decision::Allowed { .. }
    ));
}

#[test]
fn a_statement_without_action_or_resource_has_no_effect() {
    for member in [r#""Action":"*""#, r#""Resource":"*""#] {
        let policy = Policy::parse(&format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*",{member}}}]}}"#
        ))
        .unwrap();
        assert_eq!(
            ask(&policy, &[], &enclave(), "kms:Decrypt", &Context::new()),
            Decision::ImplicitDeny
        );
    }
}

#[test]
fn everybody_but_the_named_is_meant_by_not_principal() {
    let policy = Policy::parse(&format!(
        r#"{{"Statement":[{{"Effect":"Deny","NotPrincipal":{{"AWS":"{}"}},"Action":"*","Resource":"*"}}]}}"#,
        template().enclave_role_arn()
    ))
    .unwrap();
    assert_eq!(
        ask(&policy, &[], &enclave(), "kms:Decrypt", &Context::new()),
        Decision::ImplicitDeny
    );
    assert!(matches!(
        ask(
            &policy,
            &[],
            &session("Other"),
            "kms:Decrypt",
            &Context::new()
        ),
        Decision::ExplicitDeny { .. }
    ));
}

/// Operator, values in the policy, value in the request (`None` is absent), and whether it holds.
const OPERATORS: [(&str, &str, Option<&str>, bool); 46] = [
    ("StringEquals", r#""a""#, Some("a"), true),
    ("StringEquals", r#""a""#, Some("A"), false),
    ("StringEquals", r#"["b","a"]"#, Some("a"), true),
    ("StringEquals", r"[]", Some("a"), false),
    ("StringEquals", r#""a""#, None, false),
    ("StringNotEquals", r#""a""#, Some("b"), true),
    ("StringNotEquals", r#"["a","b"]"#, Some("b"), false),
    ("StringNotEquals", r#""a""#, None, true),
    ("StringEqualsIgnoreCase", r#""Ab""#, Some("aB"), true),
    ("StringEqualsIgnoreCase", r#""Ab""#, None, false),
    ("StringNotEqualsIgnoreCase", r#""Ab""#, Some("aB"), false),
    ("StringNotEqualsIgnoreCase", r#""Ab""#, None, true),
    ("StringLike", r#""a*c?""#, Some("abbbcd"), true),
    ("StringLike", r#""a*c?""#, Some("abbbc"), false),
    ("StringNotLike", r#""a*""#, Some("b"), true),
    ("StringNotLike", r#""a*""#, None, true),
    ("StringEqualsIfExists", r#""a""#, None, true),
    ("StringEqualsIfExists", r#""a""#, Some("b"), false),
    (
        "ArnLike",
        r#""arn:aws:iam::*:role/R""#,
        Some("arn:aws:iam::1:role/R"),
        true,
    ),
    (
        "ArnLike",
        r#""arn:*:role/R""#,
        Some("arn:aws:iam::1:role/R"),
        false,
    ),
    (
        "ArnNotEquals",
        r#""arn:aws:iam::1:role/R""#,
        Some("arn:aws:iam::1:role/S"),
        true,
    ),
    ("Bool", r#""true""#, Some("TRUE"), true),
    ("Bool", "true", Some("false"), false),
    ("Bool", "true", None, false),
    ("NumericEquals", "5", Some("5.0"), true),
    ("NumericNotEquals", "5", Some("6"), true),
    ("NumericLessThan", "5", Some("4"), true),
    ("NumericLessThan", "5", Some("5"), false),
    ("NumericGreaterThanEquals", r#""5""#, Some("5"), true),
    ("NumericGreaterThan", "5", Some("x"), false),
    (
        "DateLessThan",
        r#""2026-01-01T00:00:00Z""#,
        Some("2025-12-31T23:59:59Z"),
        true,
    ),
    (
        "DateGreaterThan",
        r#""2026-01-01""#,
        Some("1767225601"),
        true,
    ),
    (
        "DateGreaterThan",
        r#""2026-01-01""#,
        Some("1767225600"),
        false,
    ),
    (
        "IpAddress",
        r#""203.0.113.0/24""#,
        Some("203.0.113.9"),
        true,
    ),
    (
        "IpAddress",
        r#""203.0.113.0/24""#,
        Some("203.0.114.9"),
        false,
    ),
    ("IpAddress", r#""2001:db8::/32""#, Some("2001:db8::1"), true),
    ("IpAddress", r#""0.0.0.0/0""#, Some("8.8.8.8"), true),
    (
        "NotIpAddress",
        r#""203.0.113.0/24""#,
        Some("198.51.100.1"),
        true,
    ),
    ("Null", r#""true""#, None, true),
    ("Null", r#""true""#, Some("x"), false),
    ("Null", r#""false""#, Some("x"), true),
    ("Null", "false", None, false),
    ("ForAnyValue:StringEquals", r#""a""#, None, false),
    ("ForAnyValue:StringEquals", r#""a""#, Some("a"), true),
    ("ForAllValues:StringEquals", r#""a""#, None, true),
    ("ForAllValues:StringEquals", r#""a""#, Some("b"), false),
];

#[test]
fn each_operator_by_awss_table() {
    for (operator, wanted, found, expected) in OPERATORS {
        let policy = Policy::parse(&format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{{"{operator}":{{"aws:K":{wanted}}}}}}}]}}"#
        ))
        .unwrap();
        let context = found
            .map(|value| ("aws:k".to_owned(), vec![value.to_owned()]))
            .into_iter()
            .collect();
        let allowed = matches!(
            ask(&policy, &[], &enclave(), "kms:Decrypt", &context),
            Decision::Allowed { .. }
        );
        assert_eq!(allowed, expected, "{operator} {wanted} against {found:?}");
    }
}

#[test]
fn an_operator_that_is_not_understood_never_gives() {
    let policy = |effect: &str| {
        Policy::parse(&format!(
            r#"{{"Statement":[{{"Effect":"{effect}","Principal":"*","Action":"*","Resource":"*","Condition":{{"New":{{"k":"v"}}}}}}]}}"#
        ))
        .unwrap()
    };
    assert_eq!(
        ask(
            &policy("Allow"),
            &[],
            &enclave(),
            "kms:Decrypt",
            &Context::new()
        ),
        Decision::ImplicitDeny
    );
    assert!(matches!(
        ask(
            &policy("Deny"),
            &[],
            &enclave(),
            "kms:Decrypt",
            &Context::new()
        ),
        Decision::ExplicitDeny { .. }
    ));
}

#[test]
fn many_stars_do_not_take_forever() {
    let policy = Policy::parse(&format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"{}","Resource":"*"}}]}}"#,
        "*a".repeat(1000)
    ))
    .unwrap();
    let started = std::time::Instant::now();
    ask(&policy, &[], &enclave(), &"a".repeat(900), &Context::new());
    assert!(started.elapsed().as_secs() < 5);
}
