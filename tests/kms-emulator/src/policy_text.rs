//! How KMS gives a policy back: printed anew, lists in another order, lists of one made plain texts,
//! account ids made root ARNs (seen in threads of aws-cli, Terraform and Ansible; AWS documents none of it).

use aws_lc_rs::digest;
use serde_json::Value;

use crate::arn;

/// The members of statements and documents in the order in which AWS prints them.
const ORDER: [&str; 11] = [
    "Version",
    "Id",
    "Statement",
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "Condition",
];

/// The text of the `reading`-th answer; what is not JSON is given back as it is.
pub(crate) fn reserialised(text: &str, partition: &str, reading: u64) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    normalise(&mut value, "", partition, reading);
    let mut out = String::new();
    print(&value, 0, &mut out);
    out
}

fn normalise(value: &mut Value, name: &str, partition: &str, reading: u64) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                normalise(member, name, partition, reading);
            }
        }
        Value::Array(items) => {
            for item in items.iter_mut() {
                normalise(item, name, partition, reading);
            }
            if name == "Statement" {
                return;
            }
            items.sort_by_cached_key(|item| rank(item, reading));
            if let [only] = items.as_mut_slice() {
                *value = only.take();
            }
        }
        Value::String(text) if name == "AWS" && arn::is_account(text) => {
            *text = format!("arn:{partition}:iam::{text}:root");
        }
        _ => {}
    }
}

/// A place in the order that depends on the reading and the value alone.
fn rank(item: &Value, reading: u64) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&reading.to_be_bytes());
    hash.update(item.to_string().as_bytes());
    let mut rank = [0; 32];
    rank.copy_from_slice(hash.finish().as_ref());
    rank
}

/// Two spaces of indent, ` : ` between name and value, lists on their opening line.
fn print(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(members) if members.is_empty() => out.push_str("{ }"),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let place = |name: &str| ORDER.iter().position(|known| *known == name);
            members.sort_by_key(|(name, _)| place(name).unwrap_or(ORDER.len()));
            let indent = "  ".repeat(depth + 1);
            for (index, (name, member)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "{\n" } else { ",\n" });
                out.push_str(&indent);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(" : ");
                print(member, depth + 1, out);
            }
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
            out.push('}');
        }
        Value::Array(items) if items.is_empty() => out.push_str("[ ]"),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "[ " } else { ", " });
                print(item, depth, out);
            }
            out.push_str(" ]");
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: &str = r#"{"Statement":[{"Action":["kms:*"],"Sid":"one","Effect":"Allow",
        "Principal":{"AWS":["111122223333"]},"Resource":"*"},
        {"Sid":"two","Effect":"Deny","Principal":"*","Action":["a","b","c","d","e"],"Resource":"*"}],
        "Version":"2012-10-17"}"#;

    #[test]
    fn prints_as_kms_does() {
        let expected = r#"{
  "Version" : "2012-10-17",
  "Statement" : [ {
    "Sid" : "one",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  }, {"#;
        let text = reserialised(POLICY, "aws", 0);
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn lists_change_their_order_between_readings_and_nothing_gets_lost() {
        let readings: std::collections::BTreeSet<_> = (0..8)
            .map(|reading| reserialised(POLICY, "aws", reading))
            .collect();
        assert!(
            readings.len() > 4,
            "{} orders in 8 readings",
            readings.len()
        );
        assert_eq!(
            reserialised(POLICY, "aws", 3),
            reserialised(POLICY, "aws", 3)
        );
        for text in readings {
            let value: Value = serde_json::from_str(&text).unwrap();
            let mut actions: Vec<_> = value["Statement"][1]["Action"]
                .as_array()
                .unwrap()
                .iter()
                .map(|action| action.as_str().unwrap().to_owned())
                .collect();
            actions.sort();
            assert_eq!(actions, ["a", "b", "c", "d", "e"]);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_not_json_stays(text in ".{0,100}", reading in any::<u64>()) {
            let out = reserialised(&text, "aws", reading);
            if serde_json::from_str::<Value>(&text).is_err() {
                prop_assert_eq!(out, text);
            }
        }
    }
}
