//! The format never changes under its version: one blob, byte for byte as docs/sealed-blob.md has it.

use crate::common::{inner, measurement};
use sealed_blob::{bind, open};

const DOCS: &str = include_str!("../../../../docs/sealed-blob.md");

/// The hex in the document's block after the line `<!-- name -->`.
fn documented(name: &str) -> Vec<u8> {
    let (_, after) = DOCS.split_once(&format!("<!-- {name} -->")).expect(name);
    let block = after.split("```").nth(1).expect("a block of code");
    let digits: String = block.chars().filter(|c| !c.is_whitespace()).collect();
    hex::decode(digits).expect("hex")
}

#[test]
fn inner_layer_is_as_documented() {
    let bytes = inner().encode().unwrap();
    assert_eq!(hex::encode(bytes), hex::encode(documented("inner")));
}

#[test]
fn outer_layer_is_as_documented() {
    let bytes = bind(&inner(), &measurement()).unwrap();
    assert_eq!(hex::encode(bytes), hex::encode(documented("outer")));
}

#[test]
fn documented_blob_opens() {
    let opened = open(&documented("outer"), |index| {
        measurement().register(index).copied()
    });
    assert_eq!(opened, Ok(inner()));
}
