//! What does not go into a bundle: values of variables and annotations, and in every text what looks like a secret.

use serde_json::Value;

/// In place of what is left out.
const REMOVED: &str = "[removed]";
/// Members whose values are never copied, whatever they hold.
const CLOSED: [&str; 10] = [
    "args",
    "binaryData",
    "command",
    "data",
    "stringData",
    "token",
    "password",
    "managedFields",
    "httpHeaders",
    "volumeAttributes",
];
/// Annotations that are the operator's own, or Kubernetes'.
const OPEN_ANNOTATIONS: [&str; 2] = ["chamber.dev/", "deployment.kubernetes.io/"];
/// What stands before a secret, with `:` or `=` between them.
const NAMES: [&str; 9] = [
    "authorization",
    "credential",
    "password",
    "passwd",
    "secret",
    "secretaccesskey",
    "secret_access_key",
    "signature",
    "token",
];
/// What stands before one, with a blank between them.
const SCHEMES: [&str; 2] = ["bearer", "basic"];
/// Characters in a row that look thrown together, as no name does: an AWS secret key, base64 of 32 bytes, of a blob.
const LONG: usize = 40;
/// Hex up to here is a digest or a measurement.
const LONGEST_HEX: usize = 128;
/// Begin and end of private keys in text.
const PRIVATE: [&str; 3] = ["PRIVATE KEY-----", "-----END", "-----"];

/// An object of Kubernetes without what may be secret.
pub fn object(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "annotations" => annotations(member),
                    "env" => variables(member),
                    closed if CLOSED.contains(&closed) => *member = REMOVED.into(),
                    _ => object(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(object),
        Value::String(words) => *words = text(words),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn annotations(found: &mut Value) {
    for (name, value) in found.as_object_mut().into_iter().flatten() {
        if OPEN_ANNOTATIONS.iter().any(|open| name.starts_with(open)) {
            object(value);
        } else {
            *value = REMOVED.into();
        }
    }
}

/// The names of variables stay.
fn variables(found: &mut Value) {
    for variable in found.as_array_mut().into_iter().flatten() {
        if let Some(value) = variable.get_mut("value") {
            *value = REMOVED.into();
        }
    }
}

/// Text of others without what looks like a secret.
pub fn text(text: &str) -> String {
    let text = without_userinfo(text);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once(PRIVATE[0]) {
        kept.push_str(&words(before));
        kept.push_str(REMOVED);
        let end = behind.split_once(PRIVATE[1]);
        let end = end.and_then(|(_, rest)| rest.split_once(PRIVATE[2]));
        rest = end.map_or("", |(_, rest)| rest);
    }
    kept.push_str(&words(rest));
    kept
}

/// URLs without the user and password before their host.
fn without_userinfo(text: &str) -> String {
    let mut parts = text.split("://");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|found: char| found.is_whitespace() || "/?#\"'".contains(found));
        let (authority, behind) = part.split_at(end.unwrap_or(part.len()));
        kept.push_str("://");
        match authority.rsplit_once('@') {
            Some((_, host)) => kept.extend([REMOVED, "@", host]),
            None => kept.push_str(authority),
        }
        kept.push_str(behind);
    }
    kept
}

/// Word by word: what a word is depends on the one before it, and on what is between them.
fn words(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut before, mut between) = ("", "");
    let mut rest = text;
    while let Some(start) = rest.find(is_of_a_word) {
        if start > 0 {
            between = &rest[..start];
            kept.push_str(between);
        }
        let word = &rest[start..];
        let named = named(before, between);
        let end = if named {
            end_of_value(before, between, word)
        } else {
            word.find(|found| !is_of_a_word(found))
        };
        let (word, behind) = word.split_at(end.unwrap_or(word.len()));
        let secret = named || looks_secret(word);
        kept.push_str(if secret { REMOVED } else { word });
        (before, between, rest) = (word, "", behind);
    }
    kept.push_str(rest);
    kept
}

fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+/_-.~%".contains(character)
}

/// Whether what comes is a secret by the word before it.
fn named(before: &str, between: &str) -> bool {
    let before = before.to_ascii_lowercase();
    let ends = |name: &&str| before.ends_with(*name);
    let assigned = between.contains([':', '=']) && !between.contains(['{', '[', ',', '\n']);
    let flag = before.starts_with("--") && between.chars().all(char::is_whitespace);
    SCHEMES.contains(&before.as_str()) && !between.is_empty()
        || (assigned || flag && !between.is_empty()) && NAMES.iter().any(ends)
}

/// Where a secret ends whose name stands before it: at the quote that closes it, with its line where a scheme may come
/// first, or with what separates members.
fn end_of_value(before: &str, between: &str, value: &str) -> Option<usize> {
    let quote = between.chars().last().filter(|last| "\"'".contains(*last));
    if let Some(quote) = quote {
        return value.find(quote);
    }
    if before.to_ascii_lowercase().ends_with("authorization") {
        return value.find('\n');
    }
    value.find(|found: char| found.is_whitespace() || ",&;\"'}])".contains(found))
}

fn looks_secret(word: &str) -> bool {
    let is_key_id = |word: &str| {
        let known = word.starts_with("AKIA") || word.starts_with("ASIA");
        known && word.len() == 20
    };
    let is_token = word.starts_with("eyJ") && word.len() > 30;
    is_key_id(word) || is_token || word.split(['.', '%', '~']).any(is_encoded)
}

/// Whether a run of characters is base64 of something long, or longer hex than any digest.
fn is_encoded(run: &str) -> bool {
    let has = |kind: fn(&char) -> bool| run.chars().any(|found| kind(&found));
    if run.chars().all(|found| found.is_ascii_hexdigit()) {
        return run.len() > LONGEST_HEX;
    }
    let mixed =
        has(char::is_ascii_digit) && has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    mixed && run.len() >= LONG && looks_random(run)
}

/// Whether upper and lower case take turns as in no word and no name.
fn looks_random(run: &str) -> bool {
    let letters: Vec<u8> = run.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let turns = |pair: &&[u8]| {
        pair[0].is_ascii_alphabetic()
            && pair[1].is_ascii_alphabetic()
            && pair[0].is_ascii_uppercase() != pair[1].is_ascii_uppercase()
    };
    letters.windows(2).filter(turns).count() * 5 >= letters.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_secret_goes_and_what_tells_of_it_stays() {
        let blob = "Ab3/".repeat(20);
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- after";
        for (secret, given) in [
            ("hunter2", "password=hunter2 for db"),
            ("hunter2", "{\"token\":\"hunter2\",\"a\":1}"),
            ("hunter2", "Authorization: Bearer hunter2"),
            ("hunter2", "authorization: Basic hunter2"),
            ("hunter2", "aws_secret_access_key = hunter2"),
            ("hunter2", "X-Amz-Security-Token=hunter2&x=1"),
            ("ter2", "password=hun!ter2 for db"),
            ("words", "{\"password\": \"two words\", \"a\": 1}"),
            ("hunter2", "https://user:hunter2@prometheus:9090/api"),
            ("hunter2", "postgres://u:hunter2@db"),
            ("hunter2", "Back-off: run --password hunter2 failed"),
            ("hunter2", "Authorization: Token hunter2"),
            (
                "hunter2",
                "authorization: Digest username=\"u\", response=\"hunter2\"",
            ),
            (
                "wJalrXUtnFEMI",
                "it was wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY once",
            ),
            (
                "q83vEjRWeJCrze",
                "key q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA= was",
            ),
            ("AKIAIOSFODNN7EXAMPLE", "key AKIAIOSFODNN7EXAMPLE was used"),
            (jwt, &format!("got {jwt}")),
            (&blob, &format!("blob: {blob}")),
            ("MC4CAQ", pem),
        ] {
            let left = text(given);
            assert!(!left.contains(secret), "{given} -> {left}");
            assert!(left.contains(REMOVED), "{left}");
        }
        assert!(text(pem).ends_with(" after"), "{}", text(pem));
    }

    #[test]
    fn what_helps_is_left_as_it_is() {
        let measurement = "0a".repeat(48);
        for said in [
            "key a (arn:aws:kms:eu-west-1:111122223333:key/1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d) is Disabled",
            "the token is read each time; no secret, no password",
            "GET /apis/chamber.dev/v1alpha1/namespaces/production-signing/chamberclusters/signer/status: 403",
            "2026-11-27T02:17:38Z WARN chamber_operator: turn failed cluster=signer failures=3",
            "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/i-0a1b2c3d4e5f is denied",
            "GET https://prometheus.monitoring:9090/api/v1/query?query=up@1: 503",
            &measurement,
        ] {
            assert_eq!(text(said), said);
        }
    }

    #[test]
    fn values_of_variables_and_annotations_are_not_copied_and_their_names_are() {
        let mut pod = json!({
            "metadata": {"name": "signer-1", "managedFields": [{"a": 1}], "annotations": {
                "chamber.dev/paused": "true", "kubectl.kubernetes.io/last-applied-configuration": "{\"x\":\"hunter2\"}"}},
            "spec": {"containers": [{"image": "i", "args": ["--password", "hunter2"],
                "env": [{"name": "DB", "value": "hunter2"}, {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}
        });
        object(&mut pod);
        assert!(!pod.to_string().contains("hunter2"), "{pod}");
        assert_eq!(pod["metadata"]["annotations"]["chamber.dev/paused"], "true");
        let enclave = &pod["spec"]["containers"][0];
        assert_eq!(enclave["env"][0], json!({"name": "DB", "value": REMOVED}));
        assert_eq!(enclave["env"][1]["valueFrom"]["secretKeyRef"]["name"], "s");
        assert_eq!(enclave["image"], "i");
    }
}
