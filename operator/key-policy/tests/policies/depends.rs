//! Requests that are known in part: allowed, denied, or it depends, and on what.

use key_policy::Policy;
use key_policy::evaluate::{
    self, Context, Decision, Fact, Identity, Principal, Reach, Request, operation,
};

use crate::common::{attested, release, signed, template};
use crate::evaluate::{ACCOUNT, allow_all};

const ROLE: &str = "arn:aws:iam::111122223333:role/team/App";
const ANY_KEY: &str = "arn:aws:kms:*:111122223333:key/*";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A session of the role, of whatever name.
fn app() -> Principal {
    Principal::session(ROLE, ACCOUNT, "*")
}

fn policy(statements: &str) -> Policy {
    Policy::parse(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#
    ))
    .unwrap()
}

pub fn allow(rest: &str) -> String {
    format!(
        r#"{{"Sid":"A","Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":"kms:*",{rest}}}"#
    )
}

pub fn deny(rest: &str) -> String {
    format!(r#"{{"Sid":"D","Effect":"Deny","Principal":"*","Action":"kms:*",{rest}}}"#)
}

/// One question without IAM policies.
pub struct Question<'a> {
    pub policy: Policy,
    principal: Principal,
    action: &'a str,
    key: &'a str,
    pub context: Context,
}

impl<'a> Question<'a> {
    pub fn of(statements: &str) -> Self {
        Self {
            policy: policy(statements),
            principal: app(),
            action: "kms:Decrypt",
            key: KEY,
            context: Context::of(&app(), KEY),
        }
    }

    fn by(mut self, principal: Principal) -> Self {
        self.context = Context::of(&principal, self.key);
        self.principal = principal;
        self
    }

    pub fn key(mut self, key: &'a str) -> Self {
        self.key = key;
        self.context = Context::of(&self.principal, key);
        self
    }

    fn action(mut self, action: &'a str) -> Self {
        self.action = action;
        self
    }

    pub fn ask(&self, identity: Identity<'_>) -> Decision {
        let request = Request {
            principal: &self.principal,
            action: self.action,
            resource: self.key,
            context: &self.context,
        };
        evaluate::key_policy(&self.policy, ACCOUNT, identity, &request)
    }

    /// `allowed A`, `denied D`, `denied`, or `depends A: key (allowed value / denied value), ...`.
    pub fn answer(&self) -> String {
        told(&self.ask(Identity::Policies(&[])))
    }
}

pub fn told(decision: &Decision) -> String {
    let value = |values: &Option<Vec<String>>| match values {
        None => "?".to_owned(),
        Some(values) if values.is_empty() => "-".to_owned(),
        Some(values) => values.join("+"),
    };
    match decision {
        Decision::Allowed { by } => format!("allowed {by}"),
        Decision::ExplicitDeny { by } => format!("denied {by}"),
        Decision::ImplicitDeny => "denied".to_owned(),
        Decision::Depends { by, on } => {
            let on = on.iter().map(|one| {
                let (allowed, denied) = (value(&one.allowed), value(&one.denied));
                format!("{} ({allowed} / {denied})", one.key)
            });
            format!("depends {by}: {}", on.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A condition of an Allow, of a Deny beside an Allow of all, and both answers.
#[test]
fn a_key_that_is_not_given_is_unknown_not_absent() {
    for (condition, of_allow, of_deny) in [
        (
            r#""StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}"#,
            "depends A: kms:ViaService (s3.us-east-1.amazonaws.com / -)",
            "depends D: kms:ViaService (- / (another value))",
        ),
        (
            r#""StringNotEquals":{"aws:SourceVpce":["vpce-1","vpce-2"]}"#,
            "depends A: aws:SourceVpce (- / vpce-2)",
            "depends D: aws:SourceVpce (vpce-2 / -)",
        ),
        (
            r#""Bool":{"kms:GrantIsForAWSResource":"true"}"#,
            "depends A: kms:GrantIsForAWSResource (true / -)",
            "depends D: kms:GrantIsForAWSResource (- / true)",
        ),
        (
            r#""Null":{"kms:EncryptionContext:a":"false"}"#,
            "depends A: kms:EncryptionContext:a ((another value) / -)",
            "depends D: kms:EncryptionContext:a (- / (another value))",
        ),
        (
            r#""NumericLessThan":{"aws:MultiFactorAuthAge":"10"}"#,
            "depends A: aws:MultiFactorAuthAge (9 / -)",
            "depends D: aws:MultiFactorAuthAge (- / 9)",
        ),
        (
            r#""NumericGreaterThan":{"aws:MultiFactorAuthAge":"10"}"#,
            "depends A: aws:MultiFactorAuthAge (11 / -)",
            "depends D: aws:MultiFactorAuthAge (- / 11)",
        ),
        (
            r#""DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}"#,
            "depends A: aws:CurrentTime (9999-01-01T00:00:00Z / 1970-01-02T00:00:00Z)",
            "depends D: aws:CurrentTime (1970-01-02T00:00:00Z / 9999-01-01T00:00:00Z)",
        ),
        (
            r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
            "depends A: aws:SourceIp (- / 10.0.0.0)",
            "depends D: aws:SourceIp (10.0.0.0 / -)",
        ),
        (
            r#""ArnLike":{"aws:SourceArn":"arn:aws:s3:::a*"}"#,
            "depends A: aws:SourceArn (arn:aws:s3:::ax / -)",
            "depends D: aws:SourceArn (- / arn:aws:s3:::ax)",
        ),
        (
            r#""ForAllValues:StringEquals":{"aws:TagKeys":["a"]}"#,
            "depends A: aws:TagKeys (- / (another value))",
            "depends D: aws:TagKeys ((another value) / -)",
        ),
    ] {
        let condition = format!(r#""Resource":"*","Condition":{{{condition}}}"#);
        assert_eq!(Question::of(&allow(&condition)).answer(), of_allow);
        let both = format!("{},{}", allow(r#""Resource":"*""#), deny(&condition));
        let found = Question::of(&both).answer();
        // Which of several values turns it is no matter.
        let key = |text: &str| text.split(" (").next().unwrap_or_default().to_owned();
        assert_eq!(key(&found), key(of_deny), "{found}");
        assert!(!found.contains('?'), "{found}");
    }
}

#[test]
fn several_unknown_keys_are_all_named() {
    let both = r#""Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"a","kms:EncryptionContext:SecretARN":"b"}}"#;
    assert_eq!(
        Question::of(&allow(both)).answer(),
        "depends A: kms:EncryptionContext:SecretARN (b / -), kms:ViaService (a / -)"
    );
}

/// What depends in each statement need not depend on the whole.
#[test]
fn what_no_value_turns_stands() {
    let one = allow(r#""Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"a"}}"#);
    let other = allow(r#""Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"a"}}"#);
    assert_eq!(
        Question::of(&format!("{one},{other}")).answer(),
        "allowed A"
    );
    // Nobody allows it, so a Deny decides nothing.
    let fence = deny(r#""Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"a"}}"#);
    assert_eq!(Question::of(&fence).answer(), "denied");
    // A Deny that is certain is, whatever else may allow or deny.
    let all = deny(r#""Resource":"*""#);
    assert_eq!(
        Question::of(&format!("{one},{fence},{all}")).answer(),
        "denied D"
    );
    let both = r#""Resource":"*","Condition":{"Null":{"aws:SourceVpce":["true","false"]}}"#;
    assert_eq!(Question::of(&allow(both)).answer(), "allowed A");
}

#[test]
fn what_is_given_is_known() {
    let fence = r#""Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"a"}}"#;
    for (given, answer) in [
        (vec!["a"], "allowed A"),
        (vec!["b"], "denied"),
        (vec![], "denied"),
    ] {
        let mut question = Question::of(&allow(fence));
        question.context.set("AWS:sourcevpce", given);
        assert_eq!(question.answer(), answer);
    }
}

/// Keys that follow from who asks and for which key.
#[test]
fn what_follows_from_the_question_is_derived() {
    let user = Principal::new("arn:aws:iam::111122223333:user/ops/U", ACCOUNT);
    let root = Principal::new("arn:aws:iam::111122223333:root", ACCOUNT);
    let federated = Principal::new("arn:aws:sts::111122223333:federated-user/bob", ACCOUNT);
    let service = Principal::service("logs.amazonaws.com");
    let session = Principal::new("arn:aws:sts::111122223333:assumed-role/App/s", ACCOUNT);
    for (principal, key, value) in [
        (&app(), "aws:PrincipalArn", ROLE),
        (
            &session,
            "aws:PrincipalArn",
            "arn:aws:iam::111122223333:role/App",
        ),
        (
            &user,
            "aws:PrincipalArn",
            "arn:aws:iam::111122223333:user/ops/U",
        ),
        (&root, "aws:PrincipalArn", "arn:aws:iam::111122223333:root"),
        (&app(), "aws:PrincipalAccount", ACCOUNT),
        (&app(), "kms:CallerAccount", ACCOUNT),
        (&app(), "aws:PrincipalType", "AssumedRole"),
        (&user, "aws:PrincipalType", "User"),
        (&federated, "aws:PrincipalType", "FederatedUser"),
        (&federated, "aws:username", ""),
        (&root, "aws:PrincipalType", "Account"),
        (&user, "aws:username", "U"),
        (&app(), "aws:username", ""),
        (&app(), "aws:PrincipalIsAWSService", "false"),
        (&service, "aws:PrincipalIsAWSService", "true"),
        (&service, "aws:PrincipalServiceName", "logs.amazonaws.com"),
        (&app(), "aws:PrincipalServiceName", ""),
        (&service, "aws:PrincipalArn", ""),
        (&app(), "aws:ResourceAccount", ACCOUNT),
        (&app(), "aws:RequestedRegion", "us-east-1"),
        (&app(), "aws:SecureTransport", "true"),
        (&app(), "kms:RecipientAttestation:ImageSha384", ""),
    ] {
        let context = Context::of(principal, KEY);
        let values: Vec<_> = Some(value)
            .filter(|value| !value.is_empty())
            .into_iter()
            .collect();
        let found = match context.fact(key) {
            Fact::Values(found) => found.to_vec(),
            other => panic!("{key}: {other:?}"),
        };
        assert_eq!(found, values, "{key} of {}", principal.arn);
    }
    for key in ["aws:CurrentTime", "kms:KeySpec", "kms:MultiRegion"] {
        assert_eq!(Context::of(&app(), KEY).fact(key), Fact::Present, "{key}");
    }
    let open = Context::of(&service, ANY_KEY);
    for key in [
        "aws:RequestedRegion",
        "kms:CallerAccount",
        "aws:PrincipalTag/a",
        "aws:SourceVpce",
    ] {
        assert_eq!(open.fact(key), Fact::Unknown, "{key}");
    }
}

/// Registers that a measurement names, others that it may have, and names that are none.
#[test]
fn an_attestation_is_known_in_part() {
    let context = Context::of(&app(), KEY);
    let key = |name: &str| format!("kms:RecipientAttestation:{name}");
    let enclave = context.clone().attesting(&signed(1, 8, 7));
    for (name, values) in attested(&signed(1, 8, 7)) {
        assert_eq!(enclave.fact(&name), Fact::Values(values.into()), "{name}");
    }
    let none = Fact::Values([].as_slice().into());
    for name in ["PCR1", "PCR31", "pcr4"] {
        assert_eq!(enclave.fact(&key(name)), Fact::Unknown, "{name}");
    }
    for name in ["PCR32", "PCR08", "NitroTPMPCR4", "ImageSha256", "PCR"] {
        assert_eq!(enclave.fact(&key(name)), none, "{name}");
    }
    let registers = |given: &[&str]| {
        let given: Vec<_> = given
            .iter()
            .map(|name| ((*name).to_owned(), "ab".to_owned()))
            .collect();
        context.clone().attesting_registers(&given)
    };
    let without_image = registers(&["PCR8"]).unwrap();
    assert_eq!(without_image.fact(&key("ImageSha384")), Fact::Present);
    assert_eq!(without_image.fact(&key("PCR0")), Fact::Present);
    assert_eq!(without_image.fact(&key("PCR3")), Fact::Unknown);
    let image = registers(&["pcr0"]).unwrap();
    assert_eq!(
        image.fact(&key("ImageSha384")),
        Fact::Values(vec!["ab".to_owned()].into())
    );
    let tpm = registers(&["NitroTPMPCR4"]).unwrap();
    assert_eq!(tpm.fact(&key("ImageSha384")), none);
    assert_eq!(tpm.fact(&key("NitroTPMPCR7")), Fact::Unknown);
    assert_eq!(tpm.fact(&key("NitroTPMPCR24")), none);
    for wrong in [&["PCR32"][..], &["PCR8", "NitroTPMPCR4"], &["image"]] {
        assert!(registers(wrong).is_err(), "{wrong:?}");
    }
}

/// Resources of a statement, and the answer for the key, for another one, and for one of which nothing is known.
#[test]
fn statements_are_about_the_key_that_they_name() {
    let other = "arn:aws:kms:us-east-1:111122223333:key/other";
    for (resource, named, another, unknown) in [
        (
            r#""Resource":"*""#.to_owned(),
            "allowed A",
            "allowed A",
            "allowed A",
        ),
        (
            format!(r#""Resource":"{KEY}""#),
            "allowed A",
            "denied",
            "depends A: key ARN",
        ),
        (
            format!(r#""NotResource":"{KEY}""#),
            "denied",
            "allowed A",
            "depends A: key ARN",
        ),
        (
            r#""Resource":"arn:aws:kms:*:111122223333:key/*""#.into(),
            "allowed A",
            "allowed A",
            "allowed A",
        ),
        (
            r#""Resource":"arn:aws:kms:us-east-1:*:key/1234*""#.into(),
            "allowed A",
            "denied",
            "depends A: key ARN",
        ),
        (
            r#""Resource":"arn:aws:kms:eu-west-1:111122223333:key/*""#.into(),
            "denied",
            "denied",
            "depends A: key ARN",
        ),
        (
            r#""Resource":"arn:aws:kms:*:999999999999:key/*""#.into(),
            "denied",
            "denied",
            "denied",
        ),
        (
            r#""Resource":"arn:aws:kms:us-east-1:111122223333:alias/a""#.into(),
            "denied",
            "denied",
            "denied",
        ),
        (r#""NotResource":"*""#.into(), "denied", "denied", "denied"),
        (
            r#""Resource":["arn:aws:kms:*:*:alias/*","arn:aws:s3:::a"]"#.into(),
            "denied",
            "denied",
            "denied",
        ),
        (
            r#""Resource":"arn:aws:kms:${aws:RequestedRegion}:111122223333:key/*""#.into(),
            "allowed A",
            "allowed A",
            "depends A: aws:RequestedRegion",
        ),
    ] {
        let statements = allow(&resource);
        assert_eq!(Question::of(&statements).answer(), named, "{resource}");
        let of_another = Question::of(&statements).key(other).answer();
        assert_eq!(of_another, another, "{resource}");
        let of_any = Question::of(&statements).key(ANY_KEY).answer();
        let of_any = of_any.split(" (").next().unwrap();
        assert_eq!(of_any, unknown, "{resource}");
        let denied = format!("{},{}", allow(r#""Resource":"*""#), deny(&resource));
        let denied = Question::of(&denied).answer();
        assert_eq!(
            denied == "allowed A",
            named == "denied",
            "{resource}: {denied}"
        );
    }
}

/// IAM policies that nobody gave may allow anything; whoever the key policy names needs none in its account.
#[test]
fn iam_policies_are_unknown_unless_they_are_given() {
    let root = r#"{"Sid":"R","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#;
    let question = Question::of(root);
    assert_eq!(
        told(&question.ask(Identity::Unknown)),
        "depends R: IAM policies (an IAM policy that allows kms:Decrypt / -)"
    );
    assert_eq!(told(&question.ask(Identity::Policies(&[]))), "denied");
    assert_eq!(
        told(&question.ask(Identity::Policies(&[allow_all()]))),
        "allowed R"
    );
    let named = Question::of(&allow(r#""Resource":"*""#));
    assert_eq!(told(&named.ask(Identity::Unknown)), "allowed A");
    let abroad = Principal::session("arn:aws:iam::999999999999:role/App", "999999999999", "*");
    let everybody =
        r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#;
    let question = Question::of(everybody).by(abroad);
    assert!(told(&question.ask(Identity::Unknown)).starts_with("depends E: IAM policies"));
    let root_user =
        Question::of(root).by(Principal::new("arn:aws:iam::111122223333:root", ACCOUNT));
    assert_eq!(told(&root_user.ask(Identity::Unknown)), "allowed R");
    // An IAM policy whose Deny names the key denies.
    let own = Policy::parse(&format!(
        r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":"*"}},{{"Sid":"NotThisKey","Effect":"Deny","Action":"kms:Decrypt","Resource":"{KEY}"}}]}}"#
    ));
    let own = [own.unwrap()];
    assert_eq!(
        told(&Question::of(root).ask(Identity::Policies(&own))),
        "denied NotThisKey"
    );
    let unknown = Question::of(root)
        .key(ANY_KEY)
        .ask(Identity::Policies(&own));
    assert!(
        told(&unknown).starts_with("depends NotThisKey: key ARN"),
        "{unknown:?}"
    );
}

/// Sessions and services, named by the policy in their ways.
#[test]
fn sessions_and_services_are_named_in_their_ways() {
    let statement = |principal: &str| {
        format!(
            r#"{{"Sid":"A","Effect":"Allow","Principal":{principal},"Action":"kms:*","Resource":"*"}}"#
        )
    };
    let session = r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/App/build"}"#;
    assert_eq!(
        Question::of(&statement(session)).answer(),
        "depends A: session name (build / (another value))"
    );
    let build = Principal::new("arn:aws:sts::111122223333:assumed-role/App/build", ACCOUNT);
    assert_eq!(
        Question::of(&statement(session)).by(build).answer(),
        "allowed A"
    );
    let other = r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/Other/build"}"#;
    assert_eq!(Question::of(&statement(other)).answer(), "denied");
    let logs = || Principal::service("logs.amazonaws.com");
    for (principal, answer) in [
        (r#"{"Service":"logs.amazonaws.com"}"#, "allowed A"),
        (
            r#"{"Service":["s3.amazonaws.com","logs.amazonaws.com"]}"#,
            "allowed A",
        ),
        (r#""*""#, "allowed A"),
        (r#"{"Service":"s3.amazonaws.com"}"#, "denied"),
        (r#"{"AWS":"111122223333"}"#, "denied"),
        (r#"{"Federated":"logs.amazonaws.com"}"#, "denied"),
    ] {
        assert_eq!(
            Question::of(&statement(principal)).by(logs()).answer(),
            answer,
            "{principal}"
        );
    }
    assert_eq!(
        Question::of(&statement(r#"{"Service":"logs.amazonaws.com"}"#)).answer(),
        "denied"
    );
    // NotPrincipal of a Deny spares a session that it lists beside its account.
    let fence = |listed: &str| {
        format!(
            r#"{},{{"Sid":"D","Effect":"Deny","NotPrincipal":{{"AWS":[{listed}]}},"Action":"*","Resource":"*"}}"#,
            allow(r#""Resource":"*""#)
        )
    };
    let listed = r#""111122223333","arn:aws:sts::111122223333:assumed-role/App/build""#;
    assert_eq!(
        Question::of(&fence(listed)).answer(),
        "depends D: session name (build / (another value))"
    );
    let role = format!(r#""111122223333","{ROLE}""#);
    assert_eq!(Question::of(&fence(&role)).answer(), "allowed A");
}

/// Only some calls carry an attestation; in the others its keys are absent, whatever the enclave attests.
#[test]
fn calls_that_carry_no_attestation_have_none() {
    let image = release(1).image_sha384;
    let positive = allow(&format!(
        r#""Resource":"*","Condition":{{"StringEquals":{{"kms:RecipientAttestation:ImageSha384":"{image}"}}}}"#
    ));
    let negated = format!(
        "{},{}",
        allow(r#""Resource":"*""#),
        deny(&format!(
            r#""Resource":"*","Condition":{{"StringNotEquals":{{"kms:recipientattestation:imagesha384":"{image}"}}}}"#
        ))
    );
    for (action, attests) in [
        ("kms:Decrypt", true),
        ("KMS:generatedatakey", true),
        ("kms:GenerateDataKeyPair", true),
        ("kms:DeriveSharedSecret", true),
        ("kms:GenerateRandom", true),
        ("kms:Encrypt", false),
        ("kms:PutKeyPolicy", false),
        ("kms:ReEncryptFrom", false),
        ("kms:GenerateDataKeyWithoutPlaintext", false),
        ("kms:GenerateDataKeyPairWithoutPlaintext", false),
    ] {
        for (statements, not_attesting) in [(&positive, "denied"), (&negated, "denied D")] {
            let mut question = Question::of(statements).action(action);
            question.context = question.context.attesting(&release(1));
            let wanted = if attests { "allowed A" } else { not_attesting };
            assert_eq!(question.answer(), wanted, "{action}");
        }
        assert_eq!(evaluate::attests(action), attests, "{action}");
    }
}

/// Operations that AWS offers to the key's account alone, and those that a key policy does not govern.
#[test]
fn operations_reach_as_far_as_the_reference_says() {
    let abroad = || Principal::session("arn:aws:iam::999999999999:role/App", "999999999999", "s");
    let everybody =
        r#"{"Sid":"E","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#;
    for (action, answer) in [
        ("kms:Decrypt", "allowed E"),
        ("kms:DescribeKey", "allowed E"),
        ("kms:CreateGrant", "allowed E"),
        ("kms:PutKeyPolicy", "denied"),
        ("kms:putkeypolicy", "denied"),
        ("kms:ScheduleKeyDeletion", "denied"),
        ("kms:TagResource", "denied"),
        ("kms:GetKeyPolicy", "denied"),
    ] {
        let question = Question::of(everybody).by(abroad()).action(action);
        assert_eq!(
            told(&question.ask(Identity::Policies(&[allow_all()]))),
            answer,
            "{action}"
        );
        assert_eq!(
            Question::of(everybody).action(action).answer(),
            "allowed E",
            "{action}"
        );
    }
    for (action, reach) in [
        ("KMS:decrypt", Some(Reach::AnyAccount)),
        ("kms:GenerateRandom", Some(Reach::NoKey)),
        ("kms:ListKeys", Some(Reach::NoKey)),
        ("kms:EnableKey", Some(Reach::OwnAccount)),
        ("kms:Decapsulate", Some(Reach::AnyAccount)),
        ("kms:Encapsulate", Some(Reach::AnyAccount)),
        ("kms:GetKeyLastUsage", Some(Reach::OwnAccount)),
        ("kms:Foo", None),
        ("kms:*", None),
        ("s3:GetObject", None),
        ("Decrypt", None),
    ] {
        assert_eq!(operation(action).map(|(_, reach)| reach), reach, "{action}");
    }
    assert_eq!(operation("KMS:decrypt").unwrap().0, "kms:Decrypt");
}

/// However many keys are unknown, the answer comes soon, and each is named, with values that turn it.
#[test]
fn many_unknown_keys_are_answered_soon() {
    let equals = |n: usize, operator: &str| {
        format!(
            r#""Resource":"*","Condition":{{"{operator}":{{"aws:PrincipalTag/t{n}":["a","b","c"],"aws:PrincipalTag/u{n}":"d"}}}}"#
        )
    };
    for count in [6, 20, 40] {
        let each = |of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(",");
        let keys = each(&|n| {
            format!(r#""aws:PrincipalTag/t{n}":["a","b","c"],"aws:PrincipalTag/u{n}":"d*""#)
        });
        let fences = each(&|n| deny(&equals(n, "StringEquals")));
        for (shape, statements) in [
            (
                "one Allow",
                allow(&format!(
                    r#""Resource":"*","Condition":{{"StringLike":{{{keys}}}}}"#
                )),
            ),
            (
                "an Allow each",
                each(&|n| allow(&equals(n, "StringEquals"))),
            ),
            (
                "a Deny each",
                format!("{},{fences}", allow(r#""Resource":"*""#)),
            ),
            (
                "two kinds",
                format!("{},{fences}", allow(&equals(count, "StringNotEquals"))),
            ),
        ] {
            let Decision::Depends { on, .. } =
                Question::of(&statements).ask(Identity::Policies(&[]))
            else {
                panic!("{count}, {shape}: it depends");
            };
            let valued = on
                .iter()
                .filter(|one| one.allowed.is_some() && one.denied.is_some())
                .count();
            let named = if shape == "two kinds" {
                2 * count + 2
            } else {
                2 * count
            };
            assert_eq!((on.len(), valued), (named, named), "{count}, {shape}");
        }
    }
}

/// The template: its answers are the same where all is known, and where only what the question says is known.
#[test]
fn the_template_depends_on_nothing_that_is_not_asked() {
    let policy = template().render(&[release(1), release(2)]);
    let role = template().enclave_role_arn();
    let principal = Principal::session(&role, ACCOUNT, "*");
    let context = Context::of(&principal, ANY_KEY);
    for (context, action, answer) in [
        (
            context.clone(),
            "kms:Decrypt",
            "denied DenyDataOpsWithoutAttestation",
        ),
        (
            context.clone().attesting(&release(2)),
            "kms:Decrypt",
            "allowed AllowChamberEnclaveDecryptWithAttestation",
        ),
        (
            context.clone().attesting(&release(3)),
            "kms:Decrypt",
            "denied",
        ),
        (
            context.clone(),
            "kms:Encrypt",
            "allowed AllowChamberEnclaveEncryptForWrapping",
        ),
        (context, "kms:PutKeyPolicy", "denied"),
    ] {
        let request = Request {
            principal: &principal,
            action,
            resource: ANY_KEY,
            context: &context,
        };
        let identity = Identity::Policies(&[]);
        let decision = evaluate::key_policy(&policy, ACCOUNT, identity, &request);
        assert_eq!(told(&decision), answer);
    }
}

/// What cannot be compared never gives: not in an Allow, and a Deny holds.
#[test]
fn what_cannot_be_compared_never_gives() {
    for operator in [
        "NumericNotEquals",
        "DateNotEquals",
        "NotIpAddress",
        "NumericEquals",
        "IpAddress",
    ] {
        let value = if operator.contains("Date") {
            "2026-01-01T00:00:00Z"
        } else if operator.contains("Ip") {
            "10.0.0.1"
        } else {
            "7"
        };
        let condition = format!(
            r#""Resource":"*","Condition":{{"{operator}":{{"aws:SourceVpce":"{value}"}}}}"#
        );
        let negated = operator.contains("Not");
        let both = format!("{},{}", allow(r#""Resource":"*""#), deny(&condition));
        let ask = |statements: &str| {
            let mut question = Question::of(statements);
            question.context.set("aws:SourceVpce", ["not one of them"]);
            question.answer()
        };
        assert_eq!(ask(&allow(&condition)), "denied", "{operator}");
        let of_deny = if negated { "denied D" } else { "allowed A" };
        assert_eq!(ask(&both), of_deny, "{operator}");
    }
}

/// Examples that answer alike are no proof where they do not stand for every value.
#[test]
fn examples_that_answer_alike_prove_nothing_where_others_might_not() {
    let condition = |inner: &str| allow(&format!(r#""Resource":"*","Condition":{{{inner}}}"#));
    // A value that differs in case alone is allowed by neither.
    let equal = condition(r#""StringEquals":{"aws:SourceVpce":"a"}"#);
    let differs = condition(r#""StringNotEqualsIgnoreCase":{"aws:SourceVpce":"a"}"#);
    let found = Question::of(&format!("{equal},{differs}")).answer();
    assert_eq!(found, "depends A: aws:SourceVpce (- / A)");
    let like = condition(r#""StringNotLike":{"aws:SourceVpce":"a?*"}"#);
    assert_eq!(
        Question::of(&like).answer(),
        "depends A: aws:SourceVpce (- / axx)"
    );
    // One pattern is a part of the other: one of both holds for every value.
    let likes = format!(
        "{},{}",
        condition(r#""StringLike":{"aws:SourceVpce":"a*"}"#),
        condition(r#""StringNotLike":{"aws:SourceVpce":"a?*"}"#)
    );
    assert_eq!(Question::of(&likes).answer(), "allowed A");
    let equal = condition(r#""StringEquals":{"aws:SourceVpce":"zz"}"#);
    let three = Question::of(&format!("{likes},{equal}")).answer();
    assert_eq!(three, "allowed A");
    // That the two patterns of a list are one does not show in either alone.
    let parts = format!(
        "{},{}",
        condition(r#""StringLike":{"aws:SourceVpce":["a","a?*"]}"#),
        condition(r#""StringNotLike":{"aws:SourceVpce":"a*"}"#)
    );
    assert_eq!(Question::of(&parts).answer(), "allowed A");
    // What a variable stands for is one of the examples.
    let variable = condition(r#""StringNotEquals":{"aws:SourceVpce":"${aws:PrincipalAccount}"}"#);
    assert_eq!(
        Question::of(&variable).answer(),
        format!("depends A: aws:SourceVpce (- / {ACCOUNT})")
    );
    let both = condition(r#""StringEquals":{"aws:PrincipalTag/a":"${aws:PrincipalTag/b}"}"#);
    assert!(
        Question::of(&both).answer().starts_with("depends A: "),
        "{both}"
    );
}

/// No text is another and is not, which shows in no pair of values: both keys are told, and that nothing turns them was seen.
#[test]
fn what_is_not_proven_is_told_without_values() {
    let variable = "x${aws:PrincipalTag/b}";
    let both = allow(&format!(
        r#""Resource":"*","Condition":{{"StringLike":{{"aws:PrincipalTag/a":"{variable}"}},"StringNotLike":{{"aws:PrincipalTag/a":["{variable}","y"]}}}}"#
    ));
    assert_eq!(
        Question::of(&both).answer(),
        "depends A: aws:PrincipalTag/a (? / ?), aws:PrincipalTag/b (? / ?)"
    );
}

/// What three patterns and more have in common, or leave to no value, is found however many of them it takes.
#[test]
fn many_patterns_of_a_key_are_looked_at_together() {
    let key = "aws:PrincipalTag/a";
    let one = |operator: &str, values: &str| {
        format!(r#""Resource":"*","Condition":{{"{operator}":{{"{key}":{values}}}}}"#)
    };
    let like = |value: &str| deny(&one("StringNotLike", &format!("{value:?}")));
    let only = |value: &str| allow(&one("StringLike", &format!("{value:?}")));
    let asked = |statements: &[String]| Question::of(&statements.join(",")).answer();
    // A text with all of this, and nothing shorter: none is an example of two of the patterns.
    let all = asked(&[only("a*"), like("*b"), like("*c*"), like("?d*")]);
    assert_eq!(all, format!("depends A: {key} (adcb / -)"));
    // Three that no text has together, though each two have one.
    let none = [only("a*"), like("*b"), like("?"), like("*")];
    assert!(asked(&none).starts_with("denied"), "{}", asked(&none));
    let none = [only("a?*"), like("*b?"), like("??"), like("?c*")];
    assert!(asked(&none).starts_with("denied"), "{}", asked(&none));
    // Each text is of one of them.
    let every = [
        allow(&one("StringLike", r#"["a*","?a*"]"#)),
        allow(&one("StringNotLike", r#"["a*","?a*","??b*"]"#)),
        allow(&one("StringLike", r#""??b*""#)),
        allow(&format!(
            r#""Resource":"*","Condition":{{"Null":{{"{key}":"true"}}}}"#
        )),
    ];
    assert_eq!(asked(&every), "allowed A");
    // Beside texts whose case does not count, and parts of an ARN.
    let cases = [
        only("K*"),
        like("*k"),
        deny(&one("StringEqualsIgnoreCase", r#"["kk","k"]"#)),
    ];
    assert_eq!(asked(&cases), format!("depends A: {key} (KKk / -)"));
    let arn = |operator: &str, value: &str| one(operator, &format!("{value:?}"));
    let arns = [
        allow(&arn("ArnLike", "arn:aws:s3:::a*")),
        deny(&arn("ArnNotLike", "arn:aws:s3:::*b")),
        deny(&arn("ArnNotLike", "arn:*:*:*:*:*c*")),
    ];
    assert_eq!(
        asked(&arns),
        format!("depends A: {key} (arn:aws:s3:::acb / -)")
    );
}

/// Of several statements the one that names the principal is told, then the first.
#[test]
fn the_plainest_of_several_statements_is_told() {
    let root = r#"{"Sid":"R","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#;
    let own = |sid: &str| allow(r#""Resource":"*""#).replace("\"A\"", &format!("{sid:?}"));
    let ask = |statements: &[&str]| {
        told(&Question::of(&statements.join(",")).ask(Identity::Policies(&[allow_all()])))
    };
    let (first, second) = (own("First"), own("Second"));
    assert_eq!(ask(&[root, &first, &second]), "allowed First");
    assert_eq!(ask(&[&second, &first, root]), "allowed Second");
    assert_eq!(ask(&[root]), "allowed R");
    let maybe = allow(r#""Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"a"}}"#);
    assert_eq!(ask(&[&maybe, root]), "allowed R");
}

/// The key's ARN is tried as what statements name, and as another key.
#[test]
fn the_keys_arn_is_tried_as_the_statements_name_it() {
    let named = allow(&format!(r#""Resource":"{KEY}""#));
    assert_eq!(
        Question::of(&named).key(ANY_KEY).answer(),
        format!("depends A: key ARN ({KEY} / arn:aws:kms:eu-west-1:111122223333:key/another)")
    );
    let region = allow(r#""Resource":"arn:aws:kms:eu-central-1:111122223333:key/*""#);
    assert_eq!(
        Question::of(&region).key(ANY_KEY).answer(),
        "depends A: key ARN (arn:aws:kms:eu-central-1:111122223333:key/another / arn:aws:kms:eu-west-1:111122223333:key/another)"
    );
}

/// Of many keys each has a value that turns the answer, and IAM is not asked where nobody leaves it to IAM.
#[test]
fn many_keys_have_their_values() {
    for count in [6, 9] {
        let each: Vec<_> = (0..count)
            .map(|n| format!(r#""aws:PrincipalTag/t{n}":["a","b"]"#))
            .collect();
        let statements = allow(&format!(
            r#""Resource":"*","Condition":{{"StringEquals":{{{}}}}}"#,
            each.join(",")
        ));
        let Decision::Depends { on, .. } = Question::of(&statements).ask(Identity::Unknown) else {
            panic!("it depends");
        };
        let keys: Vec<_> = on.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys.len(), count, "{keys:?}");
        assert!(
            on.iter()
                .all(|one| one.allowed.is_some() && one.denied.is_some()),
            "{on:?}"
        );
    }
}

/// A session that is listed beside its role spares no other session (IAM user guide, "`NotPrincipal` with Deny").
#[test]
fn a_listed_session_is_spared_alone() {
    let fence = |listed: &str| {
        format!(
            r#"{},{{"Sid":"D","Effect":"Deny","NotPrincipal":{{"AWS":[{listed}]}},"Action":"*","Resource":"*"}}"#,
            allow(r#""Resource":"*""#)
        )
    };
    let session = "arn:aws:sts::111122223333:assumed-role/App/audit";
    let all = fence(&format!(r#""111122223333","{ROLE}","{session}""#));
    let asked = |arn: &str| Question::of(&all).by(Principal::new(arn, ACCOUNT)).answer();
    assert_eq!(asked(session), "allowed A");
    assert_eq!(
        asked("arn:aws:sts::111122223333:assumed-role/App/other"),
        "denied D"
    );
    assert_eq!(
        Question::of(&all).answer(),
        "depends D: session name (audit / (another value))"
    );
    let other_role = fence(&format!(
        r#""111122223333","{ROLE}","arn:aws:sts::111122223333:assumed-role/Apple/audit""#
    ));
    assert_eq!(Question::of(&other_role).answer(), "allowed A");
}

/// Operator and values of one Deny, those of another, and whether together they always hold.
const COMPLEMENTS: [(&str, &str, &str, &str, bool); 27] = [
    ("StringEquals", r#""a""#, "StringNotEquals", r#""a""#, true),
    (
        "StringEquals",
        r#"["a","b"]"#,
        "StringNotEquals",
        r#"["b","a"]"#,
        true,
    ),
    (
        "StringEquals",
        r#"["a","b"]"#,
        "StringNotEquals",
        r#"["a"]"#,
        true,
    ),
    (
        "StringEquals",
        r#""a""#,
        "StringNotEquals",
        r#"["a","b"]"#,
        false,
    ),
    (
        "StringLike",
        r#""s3.*""#,
        "StringNotLike",
        r#""s3.*""#,
        true,
    ),
    (
        "StringLike",
        r#"["s3.*","ec2.*"]"#,
        "StringNotLike",
        r#"["ec2.*","s3.*"]"#,
        true,
    ),
    (
        "StringLike",
        r#""s3.a""#,
        "StringNotEquals",
        r#""s3.a""#,
        true,
    ),
    (
        "StringLike",
        r#""s3.*""#,
        "StringNotLike",
        r#""ec2.*""#,
        false,
    ),
    (
        "ArnLike",
        r#""arn:aws:s3:::a*""#,
        "ArnNotEquals",
        r#""arn:aws:s3:::a*""#,
        true,
    ),
    (
        "IpAddress",
        r#""10.0.0.0/8""#,
        "NotIpAddress",
        r#""10.0.0.0/8""#,
        true,
    ),
    (
        "IpAddress",
        r#""10.0.0.0/8""#,
        "NotIpAddress",
        r#""10.0.0.0/9""#,
        true,
    ),
    (
        "IpAddress",
        r#""10.0.0.0/9""#,
        "NotIpAddress",
        r#""10.0.0.0/8""#,
        false,
    ),
    (
        "IpAddress",
        r#""2001:db8::/32""#,
        "NotIpAddress",
        r#""2001:db8::/32""#,
        true,
    ),
    (
        "NumericLessThan",
        "300",
        "NumericGreaterThanEqualsIfExists",
        "300",
        true,
    ),
    (
        "NumericLessThan",
        "300",
        "NumericGreaterThanIfExists",
        "300",
        false,
    ),
    (
        "NumericLessThan",
        "300",
        "NumericGreaterThanIfExists",
        "200",
        true,
    ),
    (
        "NumericLessThan",
        "200",
        "NumericGreaterThanIfExists",
        "300",
        false,
    ),
    (
        "NumericLessThanEquals",
        "299",
        "NumericGreaterThanEqualsIfExists",
        "301",
        false,
    ),
    (
        "DateLessThan",
        r#""2026-01-01T00:00:00Z""#,
        "DateGreaterThanEquals",
        r#""2026-01-01""#,
        true,
    ),
    (
        "DateLessThan",
        r#""2026-01-01T00:00:00Z""#,
        "DateGreaterThan",
        r#""2026-01-01""#,
        false,
    ),
    (
        "DateLessThanEquals",
        r#""2026-01-01""#,
        "DateGreaterThanEquals",
        r#""2026-01-03""#,
        false,
    ),
    ("Bool", r#""true""#, "BoolIfExists", r#""false""#, true),
    ("Null", r#""true""#, "Null", r#""false""#, true),
    (
        "StringEquals",
        r#""a""#,
        "StringNotEqualsIgnoreCase",
        r#""A""#,
        false,
    ),
    (
        "StringEqualsIgnoreCase",
        r#""a""#,
        "StringNotEqualsIgnoreCase",
        r#""A""#,
        true,
    ),
    (
        "ForAnyValue:StringEquals",
        r#""a""#,
        "ForAnyValue:StringNotEquals",
        r#""a""#,
        false,
    ),
    // With two values, one that is named and one that is not, neither holds.
    (
        "ForAllValues:StringEquals",
        r#""a""#,
        "ForAllValues:StringNotEquals",
        r#""a""#,
        false,
    ),
];

/// A condition and its complement: whatever is not known, one of the two holds.
#[test]
fn complements_leave_nothing_open() {
    let values = |operator: &str, values: &str| {
        let key = match operator.trim_end_matches("IfExists") {
            "Bool" => "aws:ViaAWSService",
            name if name.contains("Numeric") => "aws:MultiFactorAuthAge",
            name if name.contains("Date") => "aws:CurrentTime",
            name if name.contains("Ip") => "aws:SourceIp",
            name if name.contains("Arn") => "aws:SourceArn",
            name if name.starts_with("For") => "aws:TagKeys",
            _ => "kms:ViaService",
        };
        format!(r#""Resource":"*","Condition":{{"{operator}":{{"{key}":{values}}}}}"#)
    };
    for (one, of_one, other, of_other, whole) in COMPLEMENTS {
        let second = deny(&values(other, of_other)).replace("\"D\"", "\"E\"");
        let all = allow(r#""Resource":"*""#);
        let policy = format!("{all},{},{second}", deny(&values(one, of_one)));
        let answer = Question::of(&policy).answer();
        let wanted = if whole { "denied" } else { "depends" };
        assert!(
            answer.starts_with(wanted),
            "{one} {of_one} {other} {of_other}: {answer}"
        );
        let seen = !answer.contains('?') || one.contains("ForA");
        assert!(seen, "{one} {of_one} {other} {of_other}: {answer}");
    }
}

/// All keys that a list names and all that it does not are all keys; and what a variable has to be is tried.
#[test]
fn lists_of_keys_and_variables_have_complements() {
    let (named, others) = (
        format!(r#""Resource":"{KEY}""#),
        format!(r#""NotResource":"{KEY}""#),
    );
    let of = |one: &str, other: &str| {
        let all = allow(r#""Resource":"*""#);
        let statements = format!("{all},{},{}", deny(one), deny(other));
        Question::of(&statements).key(ANY_KEY).answer()
    };
    assert_eq!(of(&named, &others), "denied D");
    assert!(
        of(&named, &named).starts_with("depends D: key ARN ("),
        "{named}"
    );
    // A variable of which a value is known to be compared with something.
    let own = allow(
        r#""Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"${aws:SourceAccount}"}}"#,
    );
    let wanted = format!("depends A: aws:SourceAccount ({ACCOUNT} / -)");
    assert_eq!(Question::of(&own).answer(), wanted);
}

/// Keys that a wildcard names are among the examples.
#[test]
fn keys_that_a_wildcard_names_are_tried() {
    for (resource, example) in [
        (
            "arn:aws:kms:us-east-1:111122223333:key/mrk-*",
            "arn:aws:kms:us-east-1:111122223333:key/mrk-x",
        ),
        (
            "arn:aws:kms:us-*-1:111122223333:key/*",
            "arn:aws:kms:us-east-1:111122223333:key/another",
        ),
        (
            "arn:aws:kms:*:111122223333:key/????-*",
            "arn:aws:kms:eu-west-1:111122223333:key/xxxx-x",
        ),
        (
            "arn:aws:kms:*:*:key/a",
            "arn:aws:kms:eu-west-1:111122223333:key/a",
        ),
    ] {
        let statement = allow(&format!(r#""Resource":"{resource}""#));
        let answer = Question::of(&statement).key(ANY_KEY).answer();
        let wanted = format!("depends A: key ARN ({example} / ");
        assert!(answer.starts_with(&wanted), "{resource}: {answer}");
    }
}

/// Whatever stands around a variable, values are found with which its pattern matches, also those that other conditions ask for.
#[test]
fn variables_in_patterns_have_values() {
    const TAGS: [&str; 3] = [
        "aws:PrincipalTag/a",
        "aws:PrincipalTag/b",
        "aws:PrincipalTag/c",
    ];
    let [a, b, c] = TAGS;
    for (condition, answer) in [
        (
            format!(r#""StringEquals":{{"{a}":"team-${{{b}}}-x"}}"#),
            format!("{a} (team-(another value)-x / -), {b} ((another value) / -)"),
        ),
        (
            format!(r#""StringLike":{{"{a}":"team-${{{b}}}-*"}}"#),
            format!("{a} (team-(another value)-x / -), {b} ((another value) / -)"),
        ),
        (
            format!(r#""StringEquals":{{"aws:PrincipalAccount":"1111${{{b}}}"}}"#),
            format!("{b} (22223333 / -)"),
        ),
        (
            format!(r#""ArnLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/team/${{{b}}}"}}"#),
            format!("{b} (App / -)"),
        ),
        (
            format!(r#""StringEquals":{{"{a}":"x-${{{b}, 'none'}}"}}"#),
            format!("{a} (x-(another value) / -), {b} ((another value) / -)"),
        ),
        (
            format!(r#""StringEquals":{{"{a}":"${{{b}}}-${{{c}}}"}}"#),
            format!(
                "{a} ((another value)-(another value) / -), {b} ((another value) / -), {c} ((another value) / -)"
            ),
        ),
        (
            format!(r#""StringEquals":{{"{a}":"x-${{{b}}}","{b}":"red"}}"#),
            format!("{a} (x-red / -), {b} (red / -)"),
        ),
        (
            format!(r#""StringEquals":{{"{a}":"x-${{{b}}}"}},"StringLike":{{"{a}":"*-red"}}"#),
            format!("{a} (x-red / -), {b} (red / -)"),
        ),
    ] {
        let one = allow(&format!(r#""Resource":"*","Condition":{{{condition}}}"#));
        assert_eq!(
            Question::of(&one).answer(),
            format!("depends A: {answer}"),
            "{condition}"
        );
    }
    let resource = allow(
        r#""Resource":"arn:aws:kms:us-east-1:111122223333:key/1234-${aws:PrincipalTag/key}""#,
    );
    assert_eq!(
        Question::of(&resource)
            .key("arn:aws:kms:us-east-1:111122223333:key/1234-5678")
            .answer(),
        "depends A: aws:PrincipalTag/key (5678 / -)"
    );
}

/// A key that two conditions compare has a value that both give, and what one pattern leaves of another is seen.
#[test]
fn two_comparisons_of_a_key_have_a_common_value() {
    for (condition, answer) in [
        (
            r#""StringLike":{"kms:ViaService":"*a*"},"StringLikeIfExists":{"kms:ViaService":"*b*"}"#,
            "depends A: kms:ViaService (ab / -)",
        ),
        (
            r#""StringLike":{"kms:ViaService":"a*"},"StringNotLike":{"kms:ViaService":"ab*"}"#,
            "depends A: kms:ViaService (ax / -)",
        ),
        (
            r#""StringLike":{"kms:ViaService":"?b*"},"StringLikeIfExists":{"kms:ViaService":"*c"}"#,
            "depends A: kms:ViaService (xbc / -)",
        ),
        (
            r#""StringLike":{"kms:ViaService":"ab*"},"StringNotLike":{"kms:ViaService":"a*"}"#,
            "denied",
        ),
        (
            r#""ArnLike":{"aws:SourceArn":"arn:aws:s3:*:111122223333:*"},"ArnNotLike":{"aws:SourceArn":"arn:aws:s3:eu-*:*:*"}"#,
            "depends A: aws:SourceArn (arn:aws:s3:x:111122223333:x / -)",
        ),
        (
            r#""StringEqualsIgnoreCase":{"kms:ViaService":"AB"},"StringNotLike":{"kms:ViaService":["ab","AB"]}"#,
            "depends A: kms:ViaService (aB / -)",
        ),
        (
            r#""StringEqualsIgnoreCase":{"kms:ViaService":"AB"},"StringLike":{"kms:ViaService":"a*"}"#,
            "depends A: kms:ViaService (ab / -)",
        ),
        (
            r#""StringEquals":{"kms:ViaService":["?ed","red"]},"StringEqualsIgnoreCase":{"kms:ViaService":"red"},"StringEqualsIgnoreCaseIfExists":{"kms:ViaService":"BLUE"}"#,
            "denied",
        ),
        (
            r#""ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAnyValue:StringLike":{"aws:TagKeys":"b*"}"#,
            "depends A: aws:TagKeys (a+bx / -)",
        ),
        (
            r#""ForAnyValue:StringEquals":{"aws:TagKeys":"a"},"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}"#,
            "depends A: aws:TagKeys (a+b / -)",
        ),
        // A tag has one value, whatever the operator.
        (
            r#""ForAnyValue:StringEquals":{"aws:PrincipalTag/a":"a"},"ForAnyValue:StringLike":{"aws:PrincipalTag/a":"b*"}"#,
            "denied",
        ),
        (
            r#""NumericLessThan":{"aws:MultiFactorAuthAge":"1e17"}"#,
            "depends A: aws:MultiFactorAuthAge (99999999999999980 / -)",
        ),
    ] {
        let one = allow(&format!(r#""Resource":"*","Condition":{{{condition}}}"#));
        assert_eq!(Question::of(&one).answer(), answer, "{condition}");
    }
}

/// Wherever the networks of a list are, an address beside them is found, and one in them.
#[test]
fn addresses_are_found_in_and_beside_every_network() {
    for (condition, answer) in [
        (
            r#""NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24","198.51.100.0/24","2001:db8::/32"]}"#,
            "depends A: aws:SourceIp (- / 2001:db8::)",
        ),
        (
            r#""NotIpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/2","192.0.0.0/2"]},"Null":{"aws:SourceIp":"false"}"#,
            "depends A: aws:SourceIp (2001:db8:ffff::1 / -)",
        ),
        (
            r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"NotIpAddress":{"aws:SourceIp":["10.0.0.0/9","10.128.0.0/10","10.255.0.0/16"]}"#,
            "depends A: aws:SourceIp (10.254.255.255 / -)",
        ),
        (
            r#""IpAddress":{"aws:SourceIp":"10.0.0.0/9"},"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
            "denied",
        ),
    ] {
        let one = allow(&format!(r#""Resource":"*","Condition":{{{condition}}}"#));
        assert_eq!(Question::of(&one).answer(), answer, "{condition}");
    }
}

/// A key that every request has, compared with what is no value of it, and keys of many patterns.
#[test]
fn what_has_no_example_is_answered() {
    let never = allow(r#""Resource":"*","Condition":{"NumericLessThan":{"aws:EpochTime":"soon"}}"#);
    assert_eq!(Question::of(&never).answer(), "denied");
    let each: Vec<_> = (0..100)
        .map(|n| format!(r#""arn:aws:kms:r{n}:111122223333:key/{n}*","arn:aws:kms:*{n}:111122223333:key/*{n}""#))
        .collect();
    let listed = allow(&format!(r#""Resource":[{}]"#, each.join(",")));
    let answer = Question::of(&listed).key(ANY_KEY).answer();
    assert!(
        answer.starts_with("depends A: key ARN (arn:aws:kms:"),
        "{answer}"
    );
}

/// Where what a variable stands for is known, or what it is compared with, every value is accounted for.
#[test]
fn variables_that_are_known_in_part_are_proven() {
    let of = |inner: &str| allow(&format!(r#""Resource":"*","Condition":{{{inner}}}"#));
    let tag = "aws:PrincipalTag/a";
    let variable = "${aws:PrincipalTag/a}";
    let mut question = Question::of(&of(&format!(
        r#""StringEqualsIgnoreCase":{{"aws:PrincipalTag/b":"{variable}"}}"#
    )));
    question.context.set::<String>(tag, []);
    assert_eq!(question.answer(), "denied");
    question.context.set(tag, ["x"]);
    assert_eq!(question.answer(), "depends A: aws:PrincipalTag/b (x / -)");
    // Only `blue` fits the Allow, and that is denied.
    let fence = deny(&format!(
        r#""Resource":"*","Condition":{{"StringEqualsIgnoreCaseIfExists":{{"{tag}":"BLUE"}}}}"#
    ));
    let like = of(&format!(
        r#""StringLike":{{"aws:PrincipalTag/b":"{variable}"}}"#
    ));
    let mut question = Question::of(&format!("{like},{fence}"));
    question.context.set("aws:PrincipalTag/b", ["blue"]);
    assert_eq!(question.answer(), "denied D");
    question.context.set("aws:PrincipalTag/b", ["red"]);
    assert_eq!(question.answer(), format!("depends A: {tag} (red / -)"));
    let key = allow(&format!(
        r#""Resource":"arn:aws:kms:*:111122223333:key/1234{variable}""#
    ));
    let named = format!(
        "{key},{}",
        deny(&format!(
            r#""Resource":"*","Condition":{{"StringLike":{{"{tag}":"abcd-*"}}}}"#
        ))
    );
    assert_eq!(Question::of(&named).answer(), "denied D");
}

/// What is known of the key's ARN holds for every example of it.
#[test]
fn a_key_of_one_part_of_the_world_is_not_asked_about_in_another() {
    let statements = |region: &str| {
        let resource = format!(r#""Resource":"arn:aws:kms:{region}:111122223333:key/*""#);
        format!("{},{}", allow(r#""Resource":"*""#), deny(&resource))
    };
    let somewhere = "arn:aws:kms:eu-*:111122223333:key/*";
    let answer = |region: &str| Question::of(&statements(region)).key(somewhere).answer();
    assert_eq!(answer("us-east-1"), "allowed A");
    assert!(answer("eu-west-1").starts_with("depends D: key ARN"));
}

/// A pattern may match the value that stands for all others.
#[test]
fn a_pattern_that_matches_the_value_for_all_others_still_depends() {
    for pattern in ["(*", "(another value)*"] {
        let fence = deny(&format!(
            r#""Resource":"*","Condition":{{"StringLike":{{"kms:ViaService":"{pattern}"}}}}"#
        ));
        let both = format!("{},{fence}", allow(r#""Resource":"*""#));
        let answer = Question::of(&both).answer();
        assert!(answer.starts_with("depends D: kms:ViaService"), "{answer}");
    }
}

/// What a Deny compares with a variable that is absent, no value of the key escapes.
#[test]
fn a_denial_of_whatever_differs_from_an_absent_variable_is_certain() {
    let fence = deny(
        r#""Resource":"*","Condition":{"StringNotEquals":{"kms:ViaService":"${aws:PrincipalTag/team}"}}"#,
    );
    let both = format!("{},{fence}", allow(r#""Resource":"*""#));
    let mut question = Question::of(&both);
    let absent: [&str; 0] = [];
    question.context.set("aws:PrincipalTag/team", absent);
    assert_eq!(question.answer(), "denied D");
}
