//! The format never changes under its version: bodies and an envelope, byte for byte as docs/cluster-manifest.md has them.

use crate::common::{ed25519, permit, run, signed};
use cluster_manifest::{Manifest, SignedManifest};

const DOCS: &str = include_str!("../../../../docs/cluster-manifest.md");

/// The text in the document's block after the line `<!-- name -->`, without white space.
fn documented(name: &str) -> String {
    let (_, after) = DOCS.split_once(&format!("<!-- {name} -->")).expect(name);
    let block = after.split("```").nth(1).expect("a block of code");
    block.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn bodies_are_as_documented() {
    for (name, manifest) in [("permit", permit()), ("run", run())] {
        let bytes = manifest.encode().unwrap();
        assert_eq!(hex::encode(&bytes), documented(name));
        let documented = hex::decode(documented(name)).unwrap();
        assert_eq!(Manifest::decode(&documented), Ok(manifest));
    }
}

#[test]
fn digest_and_register_are_as_documented() {
    for (name, manifest) in [("permit", permit()), ("run", run())] {
        let digest = manifest.digest().unwrap();
        assert_eq!(digest.to_string(), documented(&format!("{name} digest")));
        assert_eq!(
            digest.register().to_string(),
            documented(&format!("{name} register"))
        );
    }
}

/// Ed25519 signs one body in one way, so that the envelope has one text.
#[test]
fn the_envelope_is_as_documented_and_believed() {
    let key = ed25519(7);
    let text = documented("envelope");
    assert_eq!(signed(&run(), &[&key]).to_text().unwrap(), text);
    assert_eq!(hex::encode(key.authority().der()), documented("authority"));
    assert_eq!(
        key.authority().fingerprint().to_string(),
        documented("fingerprint")
    );
    let read = SignedManifest::from_text(&text).unwrap();
    assert_eq!(read.verify(&[key.authority()]), Ok(&run()));
}
