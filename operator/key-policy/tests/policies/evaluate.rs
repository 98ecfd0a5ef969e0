//! AWS's rules one by one.

use std::collections::BTreeMap;

use crate::common::template;
use key_policy::Policy;
use key_policy::evaluate::{self, Decision, Identity, Principal, Request};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/a";
pub const ACCOUNT: &str = "111122223333";
pub type Context = BTreeMap<String, Vec<String>>;

pub fn session(role: &str) -> Principal {
    Principal::session(&format!("arn:aws:iam::{ACCOUNT}:role/{role}"), ACCOUNT, "s")
}

pub fn enclave() -> Principal {
    session("ChamberEnclaveRole-prod-us-east-1-mainnet")
}

pub fn root() -> Principal {
    Principal::new(&format!("arn:aws:iam::{ACCOUNT}:root"), ACCOUNT)
}

pub fn ask(
    policy: &Policy,
    identity: &[Policy],
    principal: &Principal,
    action: &str,
    context: &Context,
) -> Decision {
    evaluate::key_policy(
        policy,
        ACCOUNT,
        Identity::Policies(identity),
        &Request {
            principal,
            action,
            resource: KEY,
            context: &evaluate::Context::complete(context.clone()),
        },
    )
}

pub fn allow_all() -> Policy {
    Policy::parse(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#).unwrap()
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

/// Who is listed in `NotPrincipal`, and whether the enclave role is denied.
#[test]
fn not_principal_spares_the_listed_with_their_account() {
    let role = template().enclave_role_arn();
    let account = format!("arn:aws:iam::{ACCOUNT}:root");
    let arn = enclave().arn;
    for (listed, denied) in [
        (vec![role.as_str(), &account], false),
        (vec![&role, ACCOUNT], false),
        (vec![&arn, &account], false),
        (vec!["*"], false),
        (vec![&role], true),
        (vec![&account], true),
        (vec![&account, "arn:aws:iam::111122223333:role/Other"], true),
        (vec!["999999999999"], true),
    ] {
        let policy = Policy::parse(&format!(
            r#"{{"Statement":[{{"Effect":"Deny","NotPrincipal":{{"AWS":{listed:?}}},"Action":"*","Resource":"*"}}]}}"#,
        ))
        .unwrap();
        let decision = ask(&policy, &[], &enclave(), "kms:Decrypt", &Context::new());
        let found = matches!(decision, Decision::ExplicitDeny { .. });
        assert_eq!(found, denied, "{listed:?}");
    }
}

/// How the key policy names somebody, who asks, whether IAM allows it, and whether KMS does.
#[test]
fn principals_are_named_in_awss_ways() {
    let user = Principal::new(&format!("arn:aws:iam::{ACCOUNT}:user/U"), ACCOUNT);
    let (r, other) = (session("R"), session("Other"));
    let abroad = Principal::session("arn:aws:iam::999999999999:role/R", "999999999999", "s");
    let china = Principal::session("arn:aws-cn:iam::111122223333:role/R", ACCOUNT, "s");
    let role = "arn:aws:iam::111122223333:role/R";
    for (name, who, iam, allowed) in [
        (role, &r, false, true),
        ("arn:aws:iam::111122223333:role/team/R", &r, false, true),
        (
            "arn:aws:sts::111122223333:assumed-role/R/s",
            &r,
            false,
            true,
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/R/t",
            &r,
            true,
            false,
        ),
        (role, &other, true, false),
        (role, &china, true, false),
        (role, &abroad, true, false),
        ("arn:aws:iam::999999999999:role/R", &abroad, false, false),
        ("arn:aws:iam::999999999999:role/R", &abroad, true, true),
        ("arn:aws:iam::999999999999:root", &abroad, false, false),
        ("arn:aws:iam::999999999999:root", &abroad, true, true),
        ("999999999999", &abroad, true, true),
        ("*", &r, false, true),
        ("*", &abroad, false, false),
        ("*", &abroad, true, true),
        (ACCOUNT, &r, false, false),
        (ACCOUNT, &r, true, true),
        (ACCOUNT, &root(), false, true),
        ("arn:aws:iam::111122223333:root", &root(), false, true),
        ("arn:aws:iam::111122223333:root", &user, true, true),
        ("arn:aws:iam::111122223333:user/U", &user, false, true),
        ("arn:aws:iam::111122223333:user/u", &user, true, false),
        // Nothing but a lone star is a wildcard.
        ("arn:aws:iam::111122223333:role/*", &r, true, false),
        ("arn:aws:iam::*:root", &r, true, false),
        ("AROAEXAMPLEEXAMPLEEXA", &r, true, false),
    ] {
        let policy = Policy::parse(&format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{name}"}},"Action":"kms:*","Resource":"*"}}]}}"#
        ))
        .unwrap();
        let identity = if iam { vec![allow_all()] } else { vec![] };
        let decision = ask(&policy, &identity, who, "kms:Decrypt", &Context::new());
        let found = matches!(decision, Decision::Allowed { .. });
        assert_eq!(found, allowed, "{name} {} {iam}", who.arn);
    }
}

#[test]
fn iam_alone_gives_nothing_and_denies_everything() {
    let nobody = Policy::parse(r#"{"Statement":[]}"#).unwrap();
    let deny = Policy::parse(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#);
    let everybody = Policy::parse(
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#,
    );
    let of = |policy: &Policy, identity: &[Policy]| {
        ask(
            policy,
            identity,
            &session("R"),
            "kms:Decrypt",
            &Context::new(),
        )
    };
    assert_eq!(of(&nobody, &[allow_all()]), Decision::ImplicitDeny);
    let identity = [allow_all(), deny.unwrap()];
    assert!(matches!(
        of(&everybody.unwrap(), &identity),
        Decision::ExplicitDeny { .. }
    ));
}

/// Only what is sure counts, and a Deny wins whatever stands before it.
#[test]
fn identity_policies_alone_are_answered_by_what_is_sure() {
    let policy = |statements: &str| {
        Policy::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#
        ))
        .unwrap()
    };
    let allow = r#"{"Sid":"A","Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#;
    let deny = r#"{"Sid":"D","Effect":"Deny","Action":"kms:*","Resource":"*"}"#;
    let open = |statement: &str| {
        let condition = r#","Condition":{"StringEquals":{"aws:SourceVpce":"v"}}}"#;
        statement.replacen('}', condition, 1)
    };
    let principal = Principal::new("arn:aws:iam::111122223333:user/u", ACCOUNT);
    let context = evaluate::Context::of(&principal, KEY);
    let ask = |policies: &[Policy]| {
        let request = Request {
            principal: &principal,
            action: "kms:Decrypt",
            resource: KEY,
            context: &context,
        };
        evaluate::identity_policy(policies, &request)
    };
    let by = |sid: &str| sid.to_owned();
    let (allows, fence) = (policy(allow), policy(deny));
    let allowed = Decision::Allowed { by: by("A") };
    let denied = Decision::ExplicitDeny { by: by("D") };
    assert_eq!(ask(&[]), Decision::ImplicitDeny);
    assert_eq!(ask(std::slice::from_ref(&allows)), allowed);
    assert_eq!(ask(&[allows.clone(), fence]), denied);
    assert_eq!(ask(&[policy(&open(allow))]), Decision::ImplicitDeny);
    assert_eq!(ask(&[allows, policy(&open(deny))]), allowed);
    assert_eq!(ask(&[policy(&format!("{},{allow}", open(allow)))]), allowed);
}

#[test]
fn a_trust_policy_names_no_resource() {
    let trust = Policy::parse(
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole","Condition":{"StringLike":{"sts:ExternalId":"*/demo/signer"}}}]}"#,
    )
    .unwrap();
    let ask = |id: &str| {
        let context = [("sts:externalid".to_owned(), vec![id.to_owned()])];
        let context = evaluate::Context::complete(context.into());
        let request = Request {
            principal: &session("R"),
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::111122223333:role/Admin",
            context: &context,
        };
        evaluate::resource_policy(&trust, &request)
    };
    assert_eq!(ask("x/demo/signer"), Decision::Allowed { by: "#0".into() });
    assert_eq!(ask("x/demo/other"), Decision::ImplicitDeny);
}

/// Without Resource a statement is about what its policy is attached to, and in an IAM policy about nothing.
#[test]
fn a_resource_that_is_named_is_the_one_that_counts() {
    let policy = |resource: &str| {
        Policy::parse(&format!(
            r#"{{"Statement":[{{"Sid":"A","Effect":"Allow","Principal":"*","Action":"kms:Decrypt"{resource}}}]}}"#
        ))
        .unwrap()
    };
    let (own, other) = (
        policy(&format!(r#","Resource":"{KEY}""#)),
        policy(r#","Resource":"arn:aws:kms:us-east-1:111122223333:key/other""#),
    );
    let context = evaluate::Context::open();
    let request = Request {
        principal: &session("R"),
        action: "kms:Decrypt",
        resource: KEY,
        context: &context,
    };
    let allowed = Decision::Allowed { by: "A".into() };
    assert_eq!(evaluate::resource_policy(&own, &request), allowed);
    assert_eq!(evaluate::resource_policy(&policy(""), &request), allowed);
    assert_eq!(
        evaluate::resource_policy(&other, &request),
        Decision::ImplicitDeny
    );
    assert_eq!(evaluate::identity_policy(&[own], &request), allowed);
    assert_eq!(
        evaluate::identity_policy(&[policy("")], &request),
        Decision::ImplicitDeny
    );
}

/// Operator, values in the policy, value in the request (`None` is absent), and whether it holds.
const OPERATORS: [(&str, &str, Option<&str>, bool); 78] = [
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
    ("StringLike", r#""?""#, Some("ä"), true),
    ("StringLike", r#""??""#, Some("ä"), false),
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
    ("ForAnyValue:StringNotEquals", r#""a""#, None, false),
    ("ForAllValues:StringNotEquals", r#""a""#, Some("b"), true),
    ("ForAnyValue:StringEqualsIfExists", r#""a""#, None, true),
    ("StringNotEqualsIfExists", r#""a""#, Some("a"), false),
    ("StringNotEqualsIfExists", r#""a""#, None, true),
    ("NumericLessThanEquals", "5", Some("5"), true),
    ("NumericGreaterThan", "5", Some("5.1"), true),
    ("NumericNotEquals", "5", Some("x"), false),
    ("NumericEquals", "5", Some("NaN"), false),
    ("NumericNotEquals", "5", Some("NaN"), false),
    ("NumericLessThan", "5", None, false),
    ("NumericNotEquals", "5", None, true),
    (
        "DateEquals",
        r#""2026-01-01""#,
        Some("2026-01-01T00:00:00Z"),
        true,
    ),
    (
        "DateNotEquals",
        r#""2026-01-01""#,
        Some("2026-01-01T00:00:00Z"),
        false,
    ),
    (
        "DateNotEquals",
        r#""2026-01-01""#,
        Some("2026-01-02T00:00:00Z"),
        true,
    ),
    (
        "DateLessThanEquals",
        r#""2026-01-01T01:00:00+01:00""#,
        Some("2026-01-01T00:00:00Z"),
        true,
    ),
    (
        "DateGreaterThanEquals",
        "1767225600",
        Some("2026-01-01T00:00:00Z"),
        true,
    ),
    (
        "DateNotEquals",
        r#""soon""#,
        Some("2026-01-01T00:00:00Z"),
        false,
    ),
    ("IpAddress", r#""203.0.113.9""#, Some("203.0.113.9"), true),
    (
        "IpAddress",
        r#""203.0.113.0/33""#,
        Some("203.0.113.0"),
        false,
    ),
    (
        "NotIpAddress",
        r#""203.0.113.0/33""#,
        Some("198.51.100.1"),
        false,
    ),
    (
        "NotIpAddress",
        r#""203.0.113.0/24""#,
        Some("203.0.113.9"),
        false,
    ),
    ("IpAddress", r#""::/0""#, Some("203.0.113.9"), false),
    (
        "ArnEquals",
        r#""arn:aws:iam::1:role/*""#,
        Some("arn:aws:iam::1:role/a:b"),
        true,
    ),
    ("ArnNotLike", r#""arn:aws:iam::1:role/*""#, None, true),
    ("BinaryEquals", r#""QmluYXJ5""#, Some("QmluYXJ5"), true),
    ("Null", r#""maybe""#, Some("x"), false),
    ("Null", r#"["true","false"]"#, Some("x"), true),
    ("StringEquals", r#""a*""#, Some("ab"), false),
    ("stringequals", r#""a""#, Some("a"), false),
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

/// Values with variables against a request that has `aws:username` = `me*`, `aws:k` as given.
#[test]
fn variables_are_replaced_by_what_the_request_has() {
    let allowed = |version: &str, operator: &str, wanted: &str, found: &str| {
        let policy = Policy::parse(&format!(
            r#"{{"Version":"{version}","Statement":[{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{{"{operator}":{{"aws:K":"{wanted}"}}}}}}]}}"#
        ))
        .unwrap();
        let mut context: Context = [("aws:k".to_owned(), vec![found.to_owned()])].into();
        context.insert("aws:username".into(), vec!["me*".into()]);
        context.insert("aws:many".into(), vec!["a".into(), "b".into()]);
        let decision = ask(&policy, &[], &enclave(), "kms:Decrypt", &context);
        matches!(decision, Decision::Allowed { .. })
    };
    for (operator, wanted, found, expected) in [
        ("StringEquals", "${aws:UserName}", "me*", true),
        ("StringEquals", "x-${aws:username}-y", "x-me*-y", true),
        ("StringLike", "${aws:username}?", "me*1", true),
        ("StringLike", "${aws:username}", "melissa", false),
        ("StringLike", "a${*}", "a*", true),
        ("StringLike", "a${*}", "ab", false),
        ("StringEquals", "${aws:absent}", "", false),
        ("StringNotEquals", "${aws:absent}", "x", false),
        ("StringEquals", "${aws:absent, 'team'}", "team", true),
        ("StringEquals", "${aws:username, 'team'}", "team", false),
        ("StringEquals", "${aws:many}", "a", false),
        ("StringEquals", "${unclosed", "${unclosed", true),
        (
            "ArnLike",
            "arn:aws:iam::1:user/${aws:username}",
            "arn:aws:iam::1:user/me*",
            true,
        ),
    ] {
        let found = allowed("2012-10-17", operator, wanted, found);
        assert_eq!(found, expected, "{operator} {wanted}");
    }
    // The first version of the language has no variables.
    assert!(allowed(
        "2008-10-17",
        "StringEquals",
        "${aws:username}",
        "${aws:username}"
    ));
}

#[test]
fn several_values_of_a_request() {
    let allowed = |operator: &str| {
        let policy = Policy::parse(&format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{{"{operator}":{{"aws:TagKeys":["a","b"]}}}}}}]}}"#
        ))
        .unwrap();
        let context = [("aws:tagkeys".to_owned(), vec!["a".into(), "x".into()])].into();
        let decision = ask(&policy, &[], &enclave(), "kms:Decrypt", &context);
        matches!(decision, Decision::Allowed { .. })
    };
    assert!(allowed("ForAnyValue:StringEquals"));
    assert!(!allowed("ForAllValues:StringEquals"));
    assert!(allowed("ForAnyValue:StringNotEquals"));
    assert!(!allowed("ForAllValues:StringNotEquals"));
}
