//! Credentials on their way through the link: no memory that is freed has them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use chamber_link::{Credentials, LinkError, ToAgent, ToHost, connect};
use freed_memory::{FreedMemory, freed_with};

#[global_allocator]
static MEMORY: FreedMemory = FreedMemory;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKENofasessionofarole";

/// A frame with this JSON, which nobody frees.
fn frame(json: &str) -> &'static [u8] {
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    Box::leak([&[1], &length[..], json.as_bytes()].concat().into())
}

/// Reads a frame as an agent does; gives how many freed blocks had a secret, and whether it was a message.
fn read(frame: &'static [u8]) -> (usize, bool) {
    let mut heard = false;
    let freed = freed_with(&secrets(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        heard = runtime.unwrap().block_on(async {
            let stream = tokio::io::join(frame, tokio::io::sink());
            let mut link = connect::<ToAgent, ToHost>(stream);
            match link.receiver.receive().await {
                Ok(ToAgent::Credentials(found)) => {
                    assert_eq!(found.secret_access_key, SECRET);
                    assert_eq!(found.session_token.as_deref(), Some(TOKEN));
                    true
                }
                Err(LinkError::Content(_) | LinkError::Io(_)) => false,
                other => panic!("{other:?}"),
            }
        });
    });
    (freed, heard)
}

/// Parts of both, as a buffer that grew would have them.
fn secrets() -> [&'static [u8]; 2] {
    [&SECRET.as_bytes()[10..30], &TOKEN.as_bytes()[10..30]]
}

fn value(secret: &str, rest: &str) -> String {
    format!(
        r#""value":{{"accessKeyId":"AKIA","sessionToken":"{TOKEN}","secretAccessKey":"{secret}",{rest}}}"#
    )
}

const KIND: &str = r#""type":"credentials""#;
const GOOD: &str = r#""expiresAt":7"#;

#[test]
fn the_allocator_sees_what_was_not_wiped() {
    assert_eq!(freed_with(&secrets(), || drop(SECRET.to_owned())), 1);
    assert_eq!(freed_with(&secrets(), || ()), 0);
}

#[test]
fn what_is_read_is_wiped_whatever_becomes_of_it() {
    let escaped = SECRET.replace('/', "\\/");
    let good = value(SECRET, GOOD);
    let cut = frame(&format!("{{{KIND},{good}}}"));
    for (name, frame, message) in [
        ("good", cut, true),
        ("value first", frame(&format!("{{{good},{KIND}}}")), true),
        ("cut", &cut[..cut.len() - 2], false),
        (
            "escaped",
            frame(&format!("{{{KIND},{}}}", value(&escaped, GOOD))),
            false,
        ),
        (
            "escaped, value first",
            frame(&format!("{{{},{KIND}}}", value(&escaped, GOOD))),
            false,
        ),
        (
            "of an escaped kind",
            frame(&format!(
                r#"{{"type":"credential\u0073",{}}}"#,
                value(&escaped, GOOD)
            )),
            false,
        ),
        (
            "with a fault after the secret",
            frame(&format!(
                "{{{KIND},{}}}",
                value(SECRET, r#""expiresAt":"soon""#)
            )),
            false,
        ),
        (
            "with something after it",
            frame(&format!("{{{KIND},{good}}}}}")),
            false,
        ),
    ] {
        assert_eq!(read(frame), (0, message), "{name}");
    }
}

#[test]
fn what_is_sent_is_wiped() {
    let freed = freed_with(&secrets(), || {
        let credentials = Credentials {
            access_key_id: "AKIA".to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: Some(TOKEN.to_owned()),
            expires_at: Some(7),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let sent = runtime.unwrap().block_on(async {
            let stream = tokio::io::join(tokio::io::empty(), tokio::io::sink());
            let link = connect::<ToHost, ToAgent>(stream);
            link.sender.send(ToAgent::Credentials(credentials)).await
        });
        sent.unwrap();
    });
    assert_eq!(freed, 0);
}

/// Why there are no credentials is a sentence, and may have any character.
#[test]
fn messages_without_a_secret_may_have_escapes() {
    let said = frame(r#"{"type":"noCredentials","value":"say \"why\"\n"}"#);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let heard = runtime.unwrap().block_on(async {
        let stream = tokio::io::join(said, tokio::io::sink());
        connect::<ToAgent, ToHost>(stream).receiver.receive().await
    });
    let Ok(ToAgent::NoCredentials(why)) = heard else {
        panic!("{heard:?}");
    };
    assert_eq!(why, "say \"why\"\n");
}
