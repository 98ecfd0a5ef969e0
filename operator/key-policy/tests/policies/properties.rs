//! What holds for every document, also for those that nobody would write.

use std::collections::{BTreeMap, BTreeSet};

use key_policy::evaluate::{self, Identity, Principal, Request};
use key_policy::{Policy, admitted, foreign_deny, lint, project};
use measurement::{Measurement, Pcr};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::common::{SEED, release, template};

/// One text, or a list of some.
fn listed(text: &'static str) -> impl Strategy<Value = Value> {
    let many = prop::collection::vec(text.prop_map(Value::from), 0..3).prop_map(Value::from);
    prop_oneof![text.prop_map(Value::from), many]
}

fn principals() -> impl Strategy<Value = Value> {
    let names = || listed(r"\*|[0-9]{12}|arn:aws:iam::111122223333:(root|role/[A-C]|user/[A-C])");
    prop_oneof![
        Just(json!("*")),
        names().prop_map(|names| json!({ "AWS": names })),
        names().prop_map(|names| json!({ "AWS": names, "Service": "ec2.amazonaws.com" })),
    ]
}

fn conditions() -> impl Strategy<Value = Value> {
    let operator = "(ForAnyValue:|ForAllValues:)?(String(Not)?(Equals|Like)(IgnoreCase)?|Null|Bool|Numeric(Equals|LessThan)|Date(Equals|GreaterThan)|(Not)?IpAddress|Arn(Not)?Like|New)(IfExists)?";
    let key =
        "(kms:RecipientAttestation:(ImageSha384|imagesha384|PCR[0-9]{1,2})|aws:SourceIp|kms:K)";
    let value = prop_oneof![
        r"[0-9a-f*?${}:/.\-]{0,12}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    let values = prop_oneof![
        value.clone(),
        prop::collection::vec(value, 0..3).prop_map(Value::from)
    ];
    let keys = prop::collection::btree_map(key, values, 0..3).prop_map(|keys| json!(keys));
    prop::collection::btree_map(operator, keys, 0..3).prop_map(|block| json!(block))
}

pub fn statement() -> impl Strategy<Value = Value> {
    let sid = "AllowChamberEnclaveDecryptWithAttestation|DenyDataOpsWithoutAttestation|[ -~\u{4e2d}]{0,6}";
    let optional = |not: bool, name: &str| {
        if not {
            format!("Not{name}")
        } else {
            name.to_owned()
        }
    };
    let what = || listed(r"\*|kms:\*|kms:D*|kms:(Decrypt|Encrypt|PutKeyPolicy)|[a-z?*:]{0,6}");
    (
        (prop::option::of(sid), any::<bool>()),
        prop::option::of((any::<bool>(), principals())),
        prop::option::of((any::<bool>(), what())),
        prop::option::of((any::<bool>(), listed(r"\*|arn:aws:kms:[a-z:*]{0,6}"))),
        prop::option::of(conditions()),
    )
        .prop_map(
            move |((sid, allow), principal, action, resource, condition)| {
                let mut members = Map::new();
                let mut add = |name: String, value| drop(members.insert(name, value));
                if let Some(sid) = sid {
                    add("Sid".into(), json!(sid));
                }
                add("Effect".into(), json!(if allow { "Allow" } else { "Deny" }));
                for (name, member) in [
                    ("Principal", principal),
                    ("Action", action),
                    ("Resource", resource),
                ] {
                    if let Some((not, value)) = member {
                        add(optional(not, name), value);
                    }
                }
                if let Some(condition) = condition {
                    add("Condition".into(), condition);
                }
                Value::Object(members)
            },
        )
}

/// A valid policy of statements that nobody would write.
pub fn policy() -> impl Strategy<Value = Value> {
    let statements = prop::collection::vec(statement(), 0..5);
    statements.prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

/// The five statements among others.
fn ours() -> impl Strategy<Value = Value> {
    let foreign = prop::collection::vec(statement(), 0..3);
    foreign.prop_map(|foreign| {
        let mut document: Value = serde_json::from_str(SEED).unwrap();
        let foreign = foreign.into_iter().map(|mut statement| {
            statement["Sid"] = json!("Foreign");
            statement
        });
        document["Statement"]
            .as_array_mut()
            .unwrap()
            .extend(foreign);
        document
    })
}

/// What `GetKeyPolicy` may do: another order, and lists of one for texts and the reverse.
pub fn reserialised(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .rev()
            .map(|(name, member)| {
                let one_text =
                    member.is_string() && !["Sid", "Effect", "Version"].contains(&name.as_str());
                let member = match member {
                    Value::Array(items) if items.len() == 1 => items[0].clone(),
                    text if one_text => json!([text]),
                    other => reserialised(other),
                };
                let everybody = name.ends_with("Principal") && member == json!(["*"]);
                (
                    name.clone(),
                    if everybody {
                        json!({"AWS": "*"})
                    } else {
                        member
                    },
                )
            })
            .collect(),
        Value::Array(items) => items.iter().rev().map(reserialised).collect(),
        other => other.clone(),
    }
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let name =
        "Version|Statement|Sid|Effect|Principal|Action|Resource|Condition|AWS|Null|[a-z]{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        r"\*|Allow|Deny|kms:\*|.{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

/// One or two releases, each with some registers of eight values.
fn live() -> impl Strategy<Value = Vec<Measurement>> {
    let register =
        (1_u8..=31, 0_u8..4).prop_map(|(index, byte)| (index, Pcr::from_bytes([byte; 48])));
    let registers = prop::collection::btree_map(1_u8..=31, 0_u8..4, 0..31);
    let some = prop::collection::vec(register, 0..4);
    let measurement = (1_u8..0xff, registers, some).prop_map(|(byte, many, some)| {
        let mut measurement = release(byte);
        let many = many
            .into_iter()
            .map(|(index, byte)| (index, Pcr::from_bytes([byte; 48])));
        measurement.registers = many.chain(some).collect();
        measurement
    });
    prop::collection::vec(measurement, 0..3)
}

/// Everything that reads a policy, on one policy.
fn use_it(policy: &Policy) {
    drop(lint(policy, &template()));
    drop(admitted(policy, &template()));
    drop(project(policy, &template(), &[release(1)]));
    drop(foreign_deny(
        policy,
        &template(),
        &release(1),
        Some(&release(2)),
    ));
    let account = "111122223333";
    let principal = Principal::session("arn:aws:iam::111122223333:role/A", account, "s");
    let mut context = crate::common::attested(&release(1));
    context.insert(
        "aws:sourceip".into(),
        vec!["203.0.113.1".into(), "x".into()],
    );
    let complete = evaluate::Context::complete(context);
    for action in ["kms:Decrypt", "kms:PutKeyPolicy", ""] {
        let request = Request {
            principal: &principal,
            action,
            resource: "arn:aws:kms:us-east-1:111122223333:key/a",
            context: &complete,
        };
        let identity = || Identity::Policies(std::slice::from_ref(policy));
        let decision = evaluate::key_policy(policy, account, identity(), &request);
        assert!(
            decision.is_allowed() || decision.is_denied(),
            "{decision:?}"
        );
        drop(evaluate::resource_policy(policy, &request));
        let open = evaluate::Context::of(&principal, "arn:aws:kms:*:111122223333:key/*");
        let request = Request {
            resource: "arn:aws:kms:*:111122223333:key/*",
            context: &open,
            ..request
        };
        drop(evaluate::key_policy(
            policy,
            account,
            Identity::Unknown,
            &request,
        ));
    }
}

proptest! {
    #[test]
    fn parsing_and_writing_is_the_identity(document in policy()) {
        let parsed = Policy::parse(&document.to_string()).unwrap();
        let written = parsed.to_json();
        prop_assert_eq!(&serde_json::from_str::<Value>(&written).unwrap(), &document);
        let again = Policy::parse(&written).unwrap();
        prop_assert_eq!(again.to_json(), written);
        prop_assert_eq!(again, parsed);
    }

    #[test]
    fn what_kms_does_to_a_document_does_not_change_its_meaning(document in policy()) {
        let policy = Policy::parse(&document.to_string()).unwrap();
        let reshaped = reserialised(&document);
        let reshaped = Policy::parse(&reshaped.to_string()).unwrap();
        prop_assert!(policy.equivalent(&reshaped), "{}\n{}", policy.to_json(), reshaped.to_json());
        prop_assert!(reshaped.equivalent(&policy));
    }

    #[test]
    fn what_is_projected_is_admitted(document in ours(), live in live(), pins in prop::collection::btree_set(1_u8..=31, 0..31)) {
        let mut template = template();
        template.pins = pins;
        let found = Policy::parse(&document.to_string()).unwrap();
        let projected = project(&found, &template, &live).unwrap();
        let admitted = admitted(&projected, &template).unwrap();
        let of = |index: u8| -> Option<BTreeSet<String>> {
            live.iter().map(|m| m.register(index).map(ToString::to_string)).collect()
        };
        prop_assert_eq!(Some(admitted.image_sha384), of(0));
        let expected: BTreeMap<_, _> = template
            .pins
            .iter()
            .filter(|_| !live.is_empty())
            .filter_map(|index| Some((*index, of(*index)?)))
            .collect();
        prop_assert_eq!(admitted.registers, expected);
        // Again, and after KMS has had it: nothing to do.
        let reread: Value = serde_json::from_str(&projected.to_json()).unwrap();
        let reread = Policy::parse(&reserialised(&reread).to_string()).unwrap();
        prop_assert_eq!(&project(&projected, &template, &live).unwrap(), &projected);
        prop_assert!(project(&reread, &template, &live).unwrap().equivalent(&projected));
    }

    #[test]
    fn projecting_changes_statement_three_alone(document in ours(), live in live()) {
        let found = Policy::parse(&document.to_string()).unwrap();
        let projected = project(&found, &template(), &live).unwrap();
        prop_assert_eq!(found.statements().len(), projected.statements().len());
        let before: Value = document;
        let mut after: Value = serde_json::from_str(&projected.to_json()).unwrap();
        after["Statement"][2]["Condition"] = before["Statement"][2]["Condition"].clone();
        prop_assert_eq!(after, before);
    }

    #[test]
    fn every_live_release_may_decrypt_and_no_other(live in live(), other in 1_u8..0xff) {
        let policy = template().render(&live);
        let principal = Principal::session(&template().enclave_role_arn(), "111122223333", "s");
        let allowed = |measurement: &Measurement| {
            let context = evaluate::Context::complete(crate::common::attested(measurement));
            let request = Request { principal: &principal, action: "kms:Decrypt", resource: "key", context: &context };
            let decision = evaluate::key_policy(&policy, "111122223333", Identity::Policies(&[]), &request);
            matches!(decision, evaluate::Decision::Allowed { .. })
        };
        prop_assert!(live.iter().all(allowed));
        let is_live = live.iter().any(|m| m.image_sha384 == release(other).image_sha384);
        prop_assert_eq!(allowed(&release(other)), is_live);
    }

    #[test]
    fn a_valid_policy_can_be_asked_anything(document in policy()) {
        use_it(&Policy::parse(&document.to_string()).unwrap());
    }

    #[test]
    fn any_json_is_parsed_or_refused(document in arbitrary_json()) {
        if let Ok(policy) = Policy::parse(&document.to_string()) {
            use_it(&policy);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in r#"[\[\]{}":,*0-9a-z\\ \n\u{4e2d}]{0,40}|.{0,80}"#) {
        drop(Policy::parse(&text));
    }

    #[test]
    fn a_spoilt_policy_is_parsed_or_refused(at in 0..SEED.len(), with in r#"[\[\]{}":,*0-9a-z\\ \n]{0,2}"#) {
        let mut text = SEED.to_owned();
        text.replace_range(at..=at, &with);
        if let Ok(policy) = Policy::parse(&text) {
            prop_assert_eq!(&Policy::parse(&policy.to_json()).unwrap(), &policy);
            use_it(&policy);
        }
    }
}

proptest! {
    /// Documents that are nearly policies: the golden one with bytes changed, taken out and doubled.
    #[test]
    fn a_mutated_policy_is_refused_or_survives_everything(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, any::<u8>()), 1..6)
    ) {
        let mut bytes = SEED.as_bytes().to_vec();
        for (index, kind, byte) in edits {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(policy) = Policy::parse(&text) {
            let again = Policy::parse(&policy.to_json());
            prop_assert_eq!(again.as_ref(), Ok(&policy));
            let _ = lint(&policy, &template());
            let _ = project(&policy, &template(), &[release(1)]);
            prop_assert!(policy.equivalent(&policy));
        }
    }
}
