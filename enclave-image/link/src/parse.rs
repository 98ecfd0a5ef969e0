//! From the JSON of a frame to a message, without a copy of a secret that nobody wipes.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::LinkError;

/// The message that holds secrets.
const CREDENTIALS: &str = "credentials";

/// What a message is, borrowed: an escape in it is refused. The parser makes no copy of what it leaves out.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

/// A message. The parser puts text with escapes together in a buffer of its own, which it does not wipe: credentials have
/// none, and such ones are refused before they are read.
pub fn message<T: DeserializeOwned>(json: &[u8]) -> Result<T, LinkError> {
    if json.contains(&b'\\') {
        let Kind { kind } = serde_json::from_slice(json).map_err(|error| content(&error))?;
        if kind == CREDENTIALS {
            let what = "credentials with an escape, which AWS's never have";
            return Err(LinkError::Content(what.to_owned()));
        }
    }
    serde_json::from_slice(json).map_err(|error| content(&error))
}

/// The parser's message could quote the content, which can be a credential: only say where it failed.
fn content(error: &serde_json::Error) -> LinkError {
    LinkError::Content(format!(
        "{:?} error at byte {}",
        error.classify(),
        error.column()
    ))
}

/// Text that is copied once, into its place, and wiped where the message that it is in turns out to be none.
pub struct Wiped(Zeroizing<String>);

impl Wiped {
    /// The same place without the wiping: what takes it wipes it.
    pub fn take(mut self) -> String {
        std::mem::take(&mut *self.0)
    }
}

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Borrowed)
    }
}

/// Takes text that stands in the frame itself, and no copy of it.
struct Borrowed;

impl<'de> Visitor<'de> for Borrowed {
    type Value = Wiped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text without escapes")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Wiped, E> {
        Ok(Wiped(Zeroizing::new(text.to_owned())))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Wiped, E> {
        // The usual message would quote the text.
        Err(E::custom("text that is a copy"))
    }
}
