//! What holds whatever is not known, and what only seems to: examples that stand for every other value, and where they do not.

use key_policy::Policy;
use key_policy::evaluate::Identity;

use crate::depends::{Question, allow, deny, told};

const A: &str = "aws:PrincipalTag/a";
const B: &str = "aws:PrincipalTag/b";
const VARIABLE: &str = "${aws:PrincipalTag/b}";

/// What follows the action of a statement with one condition.
fn one(operator: &str, key: &str, values: &str) -> String {
    format!(r#""Resource":"*","Condition":{{"{operator}":{{"{key}":{values}}}}}"#)
}

/// The same with one value.
fn text(operator: &str, key: &str, value: &str) -> String {
    one(operator, key, &format!("{value:?}"))
}

fn all() -> String {
    allow(r#""Resource":"*""#)
}

fn asked(statements: &[String]) -> String {
    Question::of(&statements.join(",")).answer()
}

/// What is said where the tag `b` is known.
fn with_tag(value: &str, statements: &[String]) -> String {
    let mut question = Question::of(&statements.join(","));
    question.context.set(B, [value]);
    question.answer()
}

#[test]
fn a_known_variable_is_its_text() {
    for (is, is_not) in [
        ("StringEquals", "StringNotEquals"),
        ("StringLike", "StringNotLike"),
        ("ArnEquals", "ArnNotEquals"),
    ] {
        let both = [
            allow(&text(is, A, VARIABLE)),
            allow(&text(is_not, A, VARIABLE)),
        ];
        assert_eq!(with_tag("x", &both), "allowed A", "{is}");
        assert_eq!(with_tag("x", &both[..1]), format!("depends A: {A} (x / -)"));
        // A star in it is no wildcard.
        let starred = with_tag("x*", &both[..1]);
        assert_eq!(starred, format!("depends A: {A} (x* / -)"), "{is}");
    }
    let equals = [
        allow(&text("StringEquals", A, VARIABLE)),
        allow(&text("StringNotEquals", A, VARIABLE)),
    ];
    assert_eq!(with_tag("x*", &equals), "allowed A");
}

/// No example begins with the star that the tag brings in and goes on otherwise than examples do: nothing is proven.
#[test]
fn what_begins_with_a_variables_star_is_not_forgotten() {
    let statements = [
        allow(&text("StringLike", A, &format!("{VARIABLE}?*"))),
        deny(&text("StringLike", A, "?x*")),
    ];
    let answer = with_tag("*", &statements);
    assert!(answer.starts_with("depends A"), "{answer}");
}

#[test]
fn the_first_version_of_the_language_has_no_variables() {
    let text_of_a = "${aws:PrincipalTag/a}";
    let both = [
        allow(&text("StringEquals", B, text_of_a)),
        allow(&text("StringNotEquals", B, text_of_a)),
    ];
    let mut question = Question::of(&both.join(","));
    let first = question
        .policy
        .to_json()
        .replace("2012-10-17", "2008-10-17");
    question.policy = Policy::parse(&first).unwrap();
    assert_eq!(question.answer(), "allowed A");
}

/// A text, or a pattern with variables, that is too long to be looked through proves nothing of what is not known.
#[test]
fn what_is_too_long_to_be_looked_through_is_not_proven() {
    let note = "kms:EncryptionContext:note";
    let two = format!(
        r#""Resource":"*","Condition":{{"StringLike":{{"{note}":"${{{A}}}-${{{B}}}"}},"StringEquals":{{"{A}":"red"}}}}"#
    );
    let statements = [
        allow(&two),
        allow(&text("StringEquals", "aws:SourceVpce", "v")),
    ];
    let mut question = Question::of(&statements.join(","));
    question
        .context
        .set(note, [format!("red-{}", "y".repeat(20_000))]);
    assert_eq!(
        question.answer(),
        format!("depends A: {A} (? / ?), {B} (? / ?), aws:SourceVpce (v / -)")
    );
    let pattern = format!("{}{VARIABLE}", "y".repeat(70));
    let mut question = Question::of(&allow(&text("StringLike", note, &pattern)));
    question.context.set(note, ["y".repeat(500)]);
    assert_eq!(question.answer(), format!("depends A: {B} (? / ?)"));
    question.context.set(note, ["y".repeat(400)]);
    let rest = "y".repeat(330);
    assert_eq!(question.answer(), format!("depends A: {B} ({rest} / -)"));
}

#[test]
fn a_key_without_set_operators_has_one_value() {
    let both = r#""Resource":"*","Condition":{"StringEquals":{"saml:aud":"a"},"StringLike":{"saml:aud":"b*"}}"#;
    assert_eq!(asked(&[allow(both)]), "denied");
}

/// Sets of as many values as it takes, of which each is named, or is another.
#[test]
fn sets_of_values_are_found() {
    let key = "aws:TagKeys";
    let of = |conditions: &[(&str, &str)]| {
        let each = conditions.iter();
        let each = each.map(|(operator, values)| format!(r#""{operator}":{{"{key}":{values}}}"#));
        let each: Vec<_> = each.collect();
        format!(r#""Resource":"*","Condition":{{{}}}"#, each.join(","))
    };
    let any = "ForAnyValue:StringEquals";
    let like = "ForAnyValue:StringLike";
    for (allowed, denied, found) in [
        (
            of(&[
                (any, r#""a""#),
                (like, r#""b""#),
                ("ForAnyValue:StringNotEquals", r#"["a","b","c"]"#),
            ]),
            r#""c""#,
            "a+b+(another value)",
        ),
        (
            of(&[
                ("ForAllValues:StringEquals", r#""a""#),
                ("Null", r#""false""#),
            ]),
            r#""b""#,
            "a",
        ),
        (
            of(&[
                (any, r#""b""#),
                (like, r#""d""#),
                ("ForAllValues:StringEquals", r#"["b","d"]"#),
            ]),
            r#"["a","c","e"]"#,
            "b+d",
        ),
    ] {
        let statements = [allow(&allowed), deny(&of(&[(any, denied)]))];
        let answer = asked(&statements);
        let wanted = format!("depends A: {key} ({found} / ");
        assert!(answer.starts_with(&wanted), "{answer}");
    }
}

/// Patterns that only together leave one text are looked at together, also where a variable is compared, too.
#[test]
fn what_three_patterns_leave_is_found_beside_a_variable() {
    let statements = [
        allow(&text("StringLike", A, "a*")),
        deny(&text("StringNotLike", A, "*b")),
        deny(&text("StringNotLike", A, "*c*")),
        deny(&text("StringEquals", A, VARIABLE)),
    ];
    let answer = asked(&statements);
    assert!(answer.contains(&format!("{A} (acb / ")), "{answer}");
}

/// Every request has a key spec, and the value that stands for those that are not named is one that the pattern matches.
#[test]
fn a_pattern_that_matches_the_value_for_all_others_decides_nothing() {
    let answer = asked(&[all(), deny(&text("StringLike", "kms:KeySpec", "(*"))]);
    assert!(answer.starts_with("depends D: kms:KeySpec"), "{answer}");
}

/// What is a variable elsewhere is tried with values that it may have, and these stand for all.
#[test]
fn keys_of_a_kind_have_values_of_that_kind_also_as_variables() {
    for (key, is, value) in [
        ("aws:SourceIp", ["IpAddress", "NotIpAddress"], "10.0.0.0/8"),
        (
            "aws:SourceIp",
            ["IpAddress", "NotIpAddress"],
            "2001:db8::/32",
        ),
        (
            "aws:EpochTime",
            ["NumericLessThan", "NumericGreaterThanEquals"],
            "7",
        ),
        (
            "aws:EpochTime",
            ["DateLessThan", "DateGreaterThanEquals"],
            "2026-01-01",
        ),
        ("aws:ViaAWSService", ["Bool", "BoolIfExists"], "true"),
    ] {
        let other = if value == "true" { "false" } else { value };
        let statements = [
            allow(&text(is[0], key, value)),
            allow(&text(is[1], key, other)),
            allow(&one("Null", key, r#""true""#)),
            allow(&text(
                "StringEquals",
                "kms:EncryptionContext:of",
                &format!("${{{key}}}"),
            )),
        ];
        assert_eq!(asked(&statements), "allowed A", "{is:?}");
        let tag = allow(&text(
            "StringEquals",
            "kms:EncryptionContext:of",
            &format!("${{{key}}}"),
        ));
        let named = asked(&[tag, deny(&text(is[1], key, other))]);
        assert!(!named.contains("(another value) /"), "{named}");
    }
}

/// Letters of which the case is not plain are no reason to say less of texts and patterns beside them.
#[test]
fn texts_and_patterns_are_proven_beside_letters_of_other_languages() {
    let cases = "StringEqualsIgnoreCase";
    for statements in [
        [
            one(cases, A, r#"["ä","b"]"#),
            one("StringNotEqualsIgnoreCase", A, r#""ä""#),
            one("StringEquals", A, r#""c""#),
        ],
        [
            one("StringLike", A, r#""a*""#),
            one("StringNotLike", A, r#""ab*""#),
            one(cases, A, r#"["ä","a","ab"]"#),
        ],
        [
            one("ArnLike", A, r#""a:b:c:d:e:f*""#),
            one("ArnNotLike", A, r#""a:b:c:d:e:fg*""#),
            one(cases, A, r#"["ä","a:b:c:d:e:f","a:b:c:d:e:fg"]"#),
        ],
        [
            one("StringNotLike", A, r#""a""#),
            one(cases, A, r#"["ä","a"]"#),
            one("StringEquals", A, r#""c""#),
        ],
    ] {
        let statements = statements.map(|one| allow(&one));
        assert_eq!(asked(&statements), "allowed A", "{statements:?}");
        // So they are where the key is a variable elsewhere.
        let elsewhere = allow(&text("StringEquals", B, "${aws:PrincipalTag/a}"));
        let statements = [statements.join(","), elsewhere];
        assert_eq!(asked(&statements), "allowed A", "{statements:?}");
    }
}

/// A star of a text takes colons; of an ARN only in its last part.
#[test]
fn colons_are_taken_where_they_may_be() {
    let of = |like: &str, key: &str, patterns: &[&str], not: &[&str]| {
        let negated = like.replace("Like", "NotLike");
        let mut statements = vec![allow(&text(like, key, patterns[0]))];
        let rest = patterns[1..].iter();
        statements.extend(rest.map(|one| deny(&text(&negated, key, one))));
        statements.extend((!not.is_empty()).then(|| deny(&one(like, key, &format!("{not:?}")))));
        asked(&statements)
    };
    let service = "kms:ViaService";
    assert_eq!(
        of("StringLike", service, &["a*", "*:b", "*c*"], &[]),
        format!("depends A: {service} (ac:b / -)")
    );
    let arn = "aws:SourceArn";
    let three = ["arn:aws:s?:::a*", "arn:aws:s?:::*b", "arn:aws:*:::*c*"];
    let found = format!("depends A: {arn} (arn:aws:sa:::acb / -)");
    assert_eq!(of("ArnLike", arn, &three, &[]), found);
    // These match nothing with six parts, but for the last.
    for five in ["arn:aws:*b", "arn?aws:s?:::*b"] {
        let not = [five, "arn:aws:sx:::aacbb"];
        assert_eq!(of("ArnLike", arn, &three, &not), found, "{five}");
    }
    let colon = ["arn:aws:sx:::a*", "arn:aws:sx:::*b", "arn:aws:sx:::*:*"];
    assert_eq!(
        of("ArnLike", arn, &colon, &[]),
        format!("depends A: {arn} (arn:aws:sx:::a:b / -)")
    );
}

/// IAM is no part of an answer that nobody leaves to it.
#[test]
fn iam_is_not_told_where_the_key_policy_decides() {
    let both = allow(&format!(
        r#""Resource":"*","Condition":{{"StringLike":{{"{A}":"x{VARIABLE}"}},"StringNotLike":{{"{A}":["x{VARIABLE}","y"]}}}}"#
    ));
    let decision = Question::of(&both).ask(Identity::Unknown);
    assert_eq!(
        told(&decision),
        format!("depends A: {A} (? / ?), {B} (? / ?)")
    );
}

#[test]
fn no_key_of_another_region_is_told() {
    let west = deny(r#""Resource":"arn:aws:kms:eu-west-1:111122223333:key/*""#);
    let question = Question::of(&format!("{},{west}", all()));
    let answer = question.key("arn:aws:kms:eu-*:111122223333:key/*").answer();
    assert_eq!(answer, "depends D: key ARN (? / ?)");
}

/// What matches every value leaves no other.
#[test]
fn what_no_value_escapes_is_proven() {
    for statements in [
        [
            text("StringLikeIfExists", A, "*"),
            text("StringEqualsIgnoreCase", A, "ä"),
        ],
        [
            one(
                "IpAddressIfExists",
                "aws:SourceIp",
                r#"["0.0.0.0/0","::/0"]"#,
            ),
            text("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
        ],
        [
            text("ArnNotLike", A, "a:b:c:d:e:f*"),
            text("ArnNotLike", A, "a:b:c:d:e:g*"),
        ],
    ] {
        // Letters whose case is not plain keep all texts from being looked at.
        let more = one(
            "StringEqualsIgnoreCase",
            A,
            r#"["ä","a:b:c:d:e:f","a:b:c:d:e:g"]"#,
        );
        let statements = statements.map(|one| allow(&one)).join(",");
        assert_eq!(asked(&[statements, allow(&more)]), "allowed A");
    }
}

/// Each example of the one is matched by the other, and not each value.
#[test]
fn what_no_example_escapes_may_be_escaped() {
    let arn = "aws:SourceArn";
    let parts = |last: &str| format!("a:b:c:d:e:{last}");
    let both = format!("[{:?},{:?}]", parts("f"), parts("f?"));
    let answer = asked(&[
        allow(&text("ArnLike", arn, &parts("f*"))),
        deny(&one("ArnLike", arn, &both)),
    ]);
    assert_eq!(answer, format!("depends A: {arn} ({} / -)", parts("f::")));
    let answer = asked(&[
        all(),
        deny(&text("StringLike", "kms:KeySpec", "(*")),
        deny(&text("StringEquals", "kms:KeySpec", "(a")),
    ]);
    assert!(answer.starts_with("depends D: kms:KeySpec"), "{answer}");
}

/// A number, or a text whatever its case, is a variable's value in several spellings.
#[test]
fn a_variable_that_is_no_text_has_several_values() {
    for (operator, key, known) in [
        ("NumericEquals", "aws:MultiFactorAuthAge", "7"),
        ("StringEqualsIgnoreCase", "kms:ViaService", "abc"),
    ] {
        let statements = [
            allow(&text(operator, key, VARIABLE)),
            deny(&text("StringEquals", B, known)),
        ];
        let mut question = Question::of(&statements.join(","));
        question.context.set(key, [known]);
        let answer = question.answer();
        assert!(answer.starts_with(&format!("depends A: {B}")), "{answer}");
    }
}

#[test]
fn seventy_lists_of_one_key_are_answered() {
    let lists = (0..70).map(|n| deny(&text("StringLike", A, &format!("p{n}*"))));
    let statements: Vec<_> = lists.chain([all()]).collect();
    let answer = asked(&statements);
    assert!(answer.starts_with(&format!("depends D: {A}")), "{answer}");
}

/// Variables in the name of a key, of which the ARN is known or not.
#[test]
fn variables_in_the_name_of_a_key_have_values() {
    let key =
        |last: &str| format!(r#""Resource":"arn:aws:kms:eu-central-1:111122223333:key/{last}""#);
    let two = allow(&key(&format!("${{{A}}}-{VARIABLE}")));
    let known = "arn:aws:kms:eu-central-1:111122223333:key/one-two";
    let question = Question::of(&two).key(known);
    assert_eq!(
        question.answer(),
        format!("depends A: {A} (one / -), {B} (two / -)")
    );
    let whatever = [
        allow(&text("StringEquals", A, "x")),
        allow(&text("StringNotEquals", A, "x")),
        two,
    ];
    let question = Question::of(&whatever.join(",")).key(known);
    assert_eq!(question.answer(), "allowed A");
    let any = "arn:aws:kms:*:111122223333:key/*";
    let one = allow(&key(&format!("app-{VARIABLE}")));
    let answer = Question::of(&one).key(any).answer();
    let wanted = format!(
        "depends A: {B} ((another value) / -), key ARN (arn:aws:kms:eu-central-1:111122223333:key/app-(another value) / "
    );
    assert!(answer.starts_with(&wanted), "{answer}");
    // What holds for every value of a tag needs no key that it names.
    let statements = [
        allow(&text("StringEquals", B, "x")),
        allow(&text("StringNotEquals", B, "x")),
        one,
    ];
    assert_eq!(
        Question::of(&statements.join(",")).key(any).answer(),
        "allowed A"
    );
}

/// A tag, a part of the encryption context, and what AWS itself has as a text may be any text, however it is compared: what
/// is neither true nor false, no number, no date and no address is among its values.
#[test]
fn what_others_say_is_any_text_however_it_is_compared() {
    let number = [
        "NumericLessThanIfExists",
        "NumericGreaterThanEqualsIfExists",
    ];
    let date = ["DateLessThanIfExists", "DateGreaterThanEqualsIfExists"];
    let address = ["IpAddressIfExists", "IpAddressIfExists"];
    for key in [
        A,
        "kms:EncryptionContext:a",
        "saml:aud",
        "aws:UserAgent",
        "AWS:referer",
        "aws:SourceIdentity",
        "aws:SourceVpce",
        "aws:TagKeys",
        "kms:EncryptionContextKeys",
        "kms:RequestAlias",
    ] {
        for (operators, values, own) in [
            (["BoolIfExists"; 2], ["true", "false"], "aws:ViaAWSService"),
            (number, ["5", "5"], "AWS:multifactorauthage"),
            (number, ["5", "5"], "aws:EpochTime"),
            (date, ["2026-01-01", "2026-01-01"], "aws:EpochTime"),
            (date, ["2026-01-01", "2026-01-01"], "aws:TokenIssueTime"),
            (address, ["0.0.0.0/0", "::/0"], "aws:SourceIp"),
        ] {
            let both = [0, 1].map(|n| deny(&text(operators[n], key, values[n])));
            let answer = asked(&[vec![all()], both.to_vec()].concat());
            let wanted = format!("depends D: {key} ((another value) / ");
            assert!(answer.starts_with(&wanted), "{operators:?}: {answer}");
            // One that AWS has as such has values of its kind.
            let both = both.map(|one| one.replace(key, own));
            let answer = asked(&[vec![all()], both.to_vec()].concat());
            assert_eq!(answer, "denied D", "{operators:?} {own}");
        }
        let yes = asked(&[allow(&text("Bool", key, "yes"))]);
        assert_eq!(yes, format!("depends A: {key} (yes / -)"));
    }
    // What is an address is neither true nor false.
    let both = ["true", "false"].map(|value| deny(&text("BoolIfExists", "aws:SourceIp", value)));
    let answer = asked(&[vec![all()], both.to_vec()].concat());
    assert!(answer.starts_with("depends D"), "{answer}");
    // So it may be where it is a variable elsewhere.
    let elsewhere = text(
        "StringEquals",
        "kms:EncryptionContext:of",
        &format!("${{{A}}}"),
    );
    let statements = [
        allow(&elsewhere),
        deny(&text("NumericLessThan", A, "5")),
        deny(&text("StringNotEquals", "kms:EncryptionContext:of", "x")),
    ];
    let answer = asked(&statements);
    assert!(answer.contains(&format!("{A} (x / ")), "{answer}");
}

/// A value of a list that cannot be compared hides none of the others.
#[test]
fn what_cannot_be_compared_hides_nothing_beside_it() {
    let address = r#"["10.0.0.0/8","10.1.0.0/33"]"#;
    let (ip, age) = ("aws:SourceIp", "aws:MultiFactorAuthAge");
    let allowed = asked(&[allow(&one("IpAddress", ip, address))]);
    assert_eq!(allowed, format!("depends A: {ip} (10.0.0.0 / -)"));
    // What surely is in no network of the list nobody can say, so that it is denied.
    let denied = asked(&[all(), deny(&one("NotIpAddress", ip, address))]);
    assert_eq!(denied, format!("depends D: {ip} (10.0.0.0 / -)"));
    for values in [r#"["5","five"]"#, r#"["five","5"]"#] {
        let answer = asked(&[allow(&one("NumericLessThan", age, values))]);
        assert_eq!(answer, format!("depends A: {age} (4 / -)"), "{values}");
    }
    let none = asked(&[allow(&one("IpAddress", ip, r#"["10.1.0.0/33"]"#))]);
    assert_eq!(none, "denied");
}
