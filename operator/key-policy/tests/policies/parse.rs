//! Documents as people, tools and KMS write them.

use key_policy::{Effect, ParseError, Policy};

use crate::common::SEED;

fn statement(members: &str) -> String {
    format!(r#"{{"Statement":[{{"Effect":"Allow"{members}}}]}}"#)
}

#[test]
fn what_is_valid_is_kept_as_it_was_written() {
    for text in [
        r#"{"Statement":[]}"#.to_owned(),
        r#"{"Id":"key-default-1","Version":"2008-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#.into(),
        statement(r#","NotPrincipal":{"AWS":["a","b"],"Service":"s"},"NotAction":"kms:*","NotResource":["x"]"#),
        statement(r#","Principal":{"AWS":["*"]},"Action":["kms:Decrypt"],"Resource":["*"]"#),
        statement(r#","Condition":{"NumericLessThan":{"k":[5,5.0,1e3,123456789012345678901234567890]},"Bool":{"b":true,"c":["false",false]}}"#),
        statement(r#","Condition":{"SomeNewOperator":{"k":"v"},"StringEquals":{}}"#),
        statement(r#","Sid":"with spaces, \u00e4 and \u4e2d\ud83d\ude00 and \" \\ \n""#),
        SEED.to_owned(),
    ] {
        let policy = Policy::parse(&text).unwrap();
        let written = policy.to_json();
        assert_eq!(squeezed(&written), squeezed(&unescaped(&text)), "{text}");
        assert_eq!(Policy::parse(&written).unwrap(), policy, "{text}");
    }
}

/// Without white space outside of texts.
fn squeezed(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            let quote = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            inside ^= quote;
            inside || quote || !c.is_whitespace()
        })
        .collect()
}

/// KMS takes characters up to U+00FF, so these alone are written plainly.
fn unescaped(json: &str) -> String {
    json.replace("\\u00e4", "\u{e4}").replace("\\n", "\\u000a")
}

#[test]
fn what_is_written_has_only_characters_that_kms_takes() {
    let text = statement(r#","Sid":"\u4e2d\ud83d\ude00\u0007\u007f\u00ff""#);
    let written = Policy::parse(&text).unwrap().to_json();
    assert!(
        written
            .chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}')),
        "{written}"
    );
}

/// Text, line and column, and what the message has to say.
const FAULTS: [(&str, (usize, usize), &str); 30] = [
    ("", (1, 1), "EOF"),
    ("{\n  \"Statement\": [\n    }", (3, 5), "expected value"),
    (r#"{"Statement":[]} x"#, (1, 18), "trailing"),
    ("[]", (1, 1), "the document is a list, expected an object"),
    (
        "\"text\"",
        (1, 1),
        "the document is a text, expected an object",
    ),
    ("null", (1, 1), "the document is null"),
    ("{}", (1, 1), "the document has no member Statement"),
    (
        "{\"Version\":\"2012-10-17\",\n \"Statements\":[]}",
        (2, 15),
        "Statements is not a member of a policy",
    ),
    (
        r#"{"Version":5,"Statement":[]}"#,
        (1, 12),
        "Version is a number",
    ),
    (r#"{"Id":[],"Statement":[]}"#, (1, 7), "Id is a list"),
    (
        r#"{"Statement":"x"}"#,
        (1, 14),
        "Statement is a text, expected a list",
    ),
    (
        r#"{"Statement":[5]}"#,
        (1, 15),
        "Statement[0] is a number, expected an object",
    ),
    (
        r#"{"Statement":[{}]}"#,
        (1, 15),
        "Statement[0] has no member Effect",
    ),
    (
        "{\"Statement\":[\n{\"Effect\":\"Deny\"},\n{\"Effect\":\"deny\"}]}",
        (3, 11),
        "Statement[1].Effect is \"deny\", expected Allow or Deny",
    ),
    (
        r#"{"Statement":{"Effect":true}}"#,
        (1, 24),
        "Statement.Effect is a boolean",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","effect":"Deny"}]}"#,
        (1, 42),
        "Statement[0].effect is not a member of a statement",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Action":"a","NotAction":"b"}]}"#,
        (1, 58),
        "Statement[0].NotAction stands beside Action",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Principal":"arn:aws:iam::1:root"}]}"#,
        (1, 45),
        "Statement[0].Principal is \"arn:aws:iam::1:root\", expected \"*\"",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["*",111122223333]}}]}"#,
        (1, 57),
        "Statement[0].Principal.AWS[1] is a number, expected a text",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Action":{"a":1}}]}"#,
        (1, 42),
        "Statement[0].Action is an object, expected a text",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Resource":[["*"]]}]}"#,
        (1, 45),
        "Statement[0].Resource[0] is a list",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Sid":null}]}"#,
        (1, 39),
        "Statement[0].Sid is null",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Condition":[]}]}"#,
        (1, 45),
        "Statement[0].Condition is a list",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Condition":{"Bool":"x"}}]}"#,
        (1, 53),
        "Statement[0].Condition.Bool is a text, expected an object",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"k":[{}]}}}]}"#,
        (1, 59),
        "Statement[0].Condition.Bool.k[0] is an object",
    ),
    (
        "{\"Statement\":[],\n\"Statement\":[]}",
        (2, 13),
        "the member \"Statement\" is there twice",
    ),
    (
        r#"{"Statement":[{"Effect":"Deny","Effect":"Allow"}]}"#,
        (1, 41),
        "the member \"Effect\" is there twice",
    ),
    (
        "{\"\u{e4}\u{4e2d}\": 1, \"Statement\":[], \"Version\": 2}",
        (1, 8),
        "is not a member of a policy",
    ),
    (
        r#"{"Statement":[{"Effect":"\ud800"}]}"#,
        (1, 25),
        "hex escape",
    ),
    (
        r#"{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"k":01}}}]}"#,
        (1, 59),
        "",
    ),
];

#[test]
fn faults_say_where_and_what() {
    for (text, at, says) in FAULTS {
        let fault = Policy::parse(text).expect_err(text);
        let (ParseError::Json { line, column, .. } | ParseError::Shape { line, column, .. }) =
            &fault;
        assert_eq!((*line, *column), at, "{text}: {fault}");
        assert!(fault.to_string().contains(says), "{text}: {fault}");
        let place = format!("line {}, column {}", at.0, at.1);
        assert!(fault.to_string().contains(&place), "{fault}");
        assert!(!fault.to_string().contains(" .Statement"), "{fault}");
    }
}

#[test]
fn depth_costs_no_stack() {
    // What no policy is, and not for its depth.
    let lists = format!(r#"{{"Statement":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    let fault = Policy::parse(&lists).unwrap_err().to_string();
    assert!(!fault.contains("nested deeper"), "{fault}");
    for depth in [33, 1_000, 100_000] {
        let open = "[".repeat(depth);
        let close = "]".repeat(depth);
        let lists = format!(r#"{{"Statement":{open}{close}}}"#);
        let fault = Policy::parse(&lists).unwrap_err().to_string();
        assert!(fault.contains("nested deeper"), "{depth}: {fault}");
        assert!(Policy::parse(&open).is_err());
        let objects = r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
        assert!(Policy::parse(&objects).is_err());
    }
}

#[test]
fn statements_are_understood() {
    let policy = Policy::parse(SEED).unwrap();
    let deny = policy.statement("DenyDataOpsWithoutAttestation").unwrap();
    assert_eq!(deny.effect, Effect::Deny);
    assert_eq!(deny.actions.as_ref().unwrap().listed.len(), 7);
    assert_eq!(deny.conditions[0].operator, "Null");
    assert_eq!(policy.statement("Other"), None);
    assert_eq!(policy.size(), policy.to_json().len());
}
