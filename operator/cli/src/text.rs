//! Text as editors and shells leave it: UTF-8 or UTF-16, with or without a byte order mark.

use serde::Deserialize;

/// The text without its byte order mark.
///
/// # Errors
///
/// The bytes are no text.
pub fn decoded(bytes: &[u8]) -> Result<String, &'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // JSON and YAML begin with a character of ASCII: a zero beside it tells the encoding.
        [_, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, _, ..] => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is neither UTF-8 nor UTF-16")?;
    Ok(text.to_owned())
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, &'static str> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<_> = pairs.iter().map(|pair| unit(*pair)).collect();
    let text = String::from_utf16(&units).map_err(|_| "is no UTF-16")?;
    if rest.is_empty() {
        Ok(text)
    } else {
        Err("is UTF-16 that ends in the middle of a character")
    }
}

/// What `aws kms get-key-policy` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Answer {
    policy: String,
    #[serde(rename = "PolicyName")]
    _name: Option<String>,
}

/// The same with `--query Policy`: a text of JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wrapped {
    Answer(Answer),
    Text(String),
}

/// The policy inside of what `aws kms get-key-policy` prints; any other text stays as it is.
pub fn unwrapped(text: String) -> String {
    serde_json::from_str(&text).map_or(text, |wrapped| match wrapped {
        Wrapped::Answer(answer) => answer.policy,
        Wrapped::Text(policy) => policy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "{\"Statement\": \"\u{fc}\u{1d11e}\"}\r\n";

    #[test]
    fn every_encoding_gives_the_same_text() {
        let of = |unit: fn(u16) -> [u8; 2]| TEXT.encode_utf16().flat_map(unit).collect::<Vec<_>>();
        let (little, big) = (of(u16::to_le_bytes), of(u16::to_be_bytes));
        for (mark, bytes) in [
            (&[][..], TEXT.as_bytes()),
            (&[0xef, 0xbb, 0xbf], TEXT.as_bytes()),
            (&[], &little),
            (&[0xff, 0xfe], &little),
            (&[], &big),
            (&[0xfe, 0xff], &big),
        ] {
            assert_eq!(
                decoded(&[mark, bytes].concat()).as_deref(),
                Ok(TEXT),
                "{mark:x?}"
            );
        }
        assert!(decoded(&[0xff, 0xfe, b'a']).is_err() && decoded(&[b'a', 0xff]).is_err());
        assert!(decoded(&[0xff, 0xfe, 0, 0xd8]).is_err());
    }

    #[test]
    fn the_answer_of_get_key_policy_is_taken_out_of_its_wrapping() {
        let inner = r#"{"Version": "2012-10-17", "Statement": []}"#;
        for wrapped in [
            serde_json::json!({"Policy": inner}),
            serde_json::json!({"Policy": inner, "PolicyName": "default"}),
            serde_json::json!(inner),
        ] {
            assert_eq!(unwrapped(wrapped.to_string()), inner);
        }
        for other in [
            inner,
            "nothing",
            "[\"nothing\"]",
            r#"{"Policy": "x", "Statement": []}"#,
            r#"{"Policy": {}}"#,
        ] {
            assert_eq!(unwrapped(other.to_owned()), other);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_crash(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decoded(&bytes).map(unwrapped);
        }
    }
}
