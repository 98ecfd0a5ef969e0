//! The format never changes under its version: one blob a version, byte for byte as docs/sealed-blob.md has it.

use crate::common::{inner, inner_2, measurement};
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
    for (name, inner) in [("inner", inner()), ("inner 2", inner_2())] {
        let bytes = inner.encode().unwrap();
        assert_eq!(hex::encode(bytes), hex::encode(documented(name)));
    }
}

#[test]
fn the_core_is_the_layer_without_its_sealing_document() {
    let bytes = documented("inner 2");
    let document = 2 + b"attestation document".len();
    assert_eq!(inner_2().core().unwrap(), bytes[..bytes.len() - document]);
    assert_eq!(inner().core().unwrap(), documented("inner"));
}

#[test]
fn outer_layer_is_as_documented() {
    for (name, inner) in [("outer", inner()), ("outer 2", inner_2())] {
        let bytes = bind(&inner, &measurement()).unwrap();
        assert_eq!(hex::encode(bytes), hex::encode(documented(name)));
    }
}

#[test]
fn documented_blob_opens() {
    for (name, inner) in [("outer", inner()), ("outer 2", inner_2())] {
        let opened = open(&documented(name), |index| {
            measurement().register(index).copied()
        });
        assert_eq!(opened, Ok(inner));
    }
}
