//! Raw slices of a text, and where they begin.

use std::fmt;

use serde_json::value::RawValue;

/// Members of an object as they were written, doubles included.
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

/// Where a slice of `text` begins in it, in bytes.
pub fn offset(text: &str, slice: &RawValue) -> usize {
    slice
        .get()
        .as_ptr()
        .addr()
        .saturating_sub(text.as_ptr().addr())
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
