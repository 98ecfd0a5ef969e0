//! Blobs of somebody else's making: whoever may create a sealed Secret gets no signature for a master key of their own.

use cluster_manifest::Digest;
use nsm_emulator::TestRoot;
use sealed_blob::InnerBlob;
use serde_json::{Value, json};

use super::world::{
    CLUSTER, Folder, commitment, ed25519, ends, inner, sealed, text, told, with_manifest,
};
use crate::Run;

/// A cluster in a file, and blobs under a root of this test.
struct Desk {
    folder: Folder,
    root: TestRoot,
    /// What render prints before the seal, and its digest.
    permit: String,
    digest: Digest,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let root = TestRoot::generate().unwrap();
        folder.write("root.pem", root.certificate_pem());
        let file = folder.write("c.yaml", CLUSTER);
        let rendered = ends(0, &["manifest", "render", "-f", &file]);
        Self {
            digest: Digest::parse(&told(&rendered, "digest")).unwrap(),
            permit: rendered.out,
            folder,
            root,
        }
    }

    fn render(&self, status: i32, blob: &InnerBlob, more: &[&str]) -> Run {
        let (file, root) = (self.folder.path("c.yaml"), self.folder.path("root.pem"));
        let blob = self.folder.write("blob.txt", text(blob));
        let render = ["manifest", "render", "-f", &file];
        let flags = ["--blob", &blob, "--root", &root];
        let run = ends(status, &[&render[..], &flags, more].concat());
        assert_eq!(run.out.is_empty(), status != 0, "{}", run.out);
        run
    }

    /// With the blob that is there from the last time.
    fn verify(&self, status: i32, more: &[&str]) -> Run {
        let path = |name| self.folder.path(name);
        let (file, key, blob) = (path("run.yaml"), path("one.pub"), path("blob.txt"));
        let bound = format!("PCR0={},PCR8={}", "1a".repeat(48), "8a".repeat(48));
        let verify = ["manifest", "verify", "-f", &file, "--authority", &key];
        let (root, flags) = (path("root.pem"), ["--blob", &blob, "--measurement", &bound]);
        let all = [&verify[..], &flags, &["--root", &root], more].concat();
        ends(status, &all)
    }
}

fn status(commitment: &str) -> String {
    format!("status: {{ rollovers: 1, verbs: {{}}, commitment: {commitment} }}\n")
}

/// A master key of somebody else's.
fn foreign() -> InnerBlob {
    InnerBlob {
        commitment: [0xf0; 32],
        ..inner()
    }
}

#[test]
fn a_blob_of_another_commitment_than_the_status_is_not_rendered() {
    let desk = Desk::new("status");
    let (own, other) = (commitment(), "f0".repeat(32));
    let file = format!("{CLUSTER}{}", status(&own));
    desk.folder.write("c.yaml", file);
    for more in [&[][..], &["--commitment", &other]] {
        let run = desk.render(1, &foreign(), more);
        let words = format!("commitment is {other}, status.commitment is {own}");
        assert!(run.err.contains(&words), "{}", run.err);
    }
    desk.render(0, &inner(), &["--commitment", &own]);
    let under = sealed(&desk.root, Some(desk.digest));
    desk.render(0, &under, &[]);
}

#[test]
fn a_permit_in_the_spec_takes_no_blob_but_what_was_sealed_under_it() {
    let desk = Desk::new("under");
    desk.folder.write("c.yaml", with_manifest(&desk.permit));
    let compared = commitment();
    let other = Digest::of(b"another permit");
    for (blob, words) in [
        (inner(), "it names no manifest"),
        (sealed(&desk.root, None), "it names no manifest"),
        (sealed(&desk.root, Some(other)), "it names the manifest"),
    ] {
        for more in [&[][..], &["--commitment", &compared]] {
            let run = desk.render(1, &blob, more);
            let permit = run.err.contains("spec.manifest is a seal permit");
            assert!(permit && run.err.contains(words), "{}", run.err);
        }
    }
    desk.render(0, &sealed(&desk.root, Some(desk.digest)), &[]);
    // A permit that nobody can read proves nothing.
    let broken = with_manifest(&desk.permit).replace("generation: 1", "generation: 0");
    desk.folder.write("c.yaml", broken);
    let run = desk.render(1, &inner(), &["--commitment", &compared]);
    assert!(run.err.contains("body.generation"), "{}", run.err);
}

#[test]
fn a_blob_without_a_permit_is_rendered_for_a_commitment_that_was_compared() {
    let desk = Desk::new("compared");
    let (own, other) = (commitment(), "f0".repeat(32));
    for blob in [sealed(&desk.root, None), inner()] {
        let run = desk.render(1, &blob, &[]);
        for words in [
            "this blob does not show that an authority allowed its sealing",
            "the tag chamber.dev/commitment on keys whose holders you trust",
            "what was recorded at the first seal",
            "--commitment <HEX>",
            &own,
        ] {
            assert!(run.err.contains(words), "{words}: {}", run.err);
        }
        desk.render(0, &blob, &["--commitment", &own]);
        desk.render(0, &blob, &["--commitment", &own.to_uppercase()]);
    }
    // Where one was compared, it counts for every blob.
    let attested = sealed(&desk.root, Some(desk.digest));
    for blob in [sealed(&desk.root, None), inner(), attested.clone()] {
        let run = desk.render(1, &blob, &["--commitment", &other]);
        let words = format!("commitment is {own}, --commitment says {other}");
        assert!(run.err.contains(&words), "{}", run.err);
    }
    desk.render(0, &attested, &[]);
    let file = desk.folder.path("c.yaml");
    let render = ["manifest", "render", "-f", &file, "--commitment"];
    for (value, words) in [
        ("c0", "64 hex characters"),
        (&own, "--commitment: nothing is sealed"),
    ] {
        let run = ends(2, &[&render[..], &[value]].concat());
        assert!(run.err.contains(words), "{}", run.err);
    }
}

#[test]
fn a_run_manifest_of_another_commitment_than_the_status_is_not_signed() {
    let desk = Desk::new("signed");
    let keys = ed25519(&desk.folder, "one");
    let (own, other) = (commitment(), "f0".repeat(32));
    let run = desk.render(0, &inner(), &["--commitment", &own]).out;
    for (commitment, ended) in [(&own, 0), (&other, 1)] {
        let whole = format!("{}{}", with_manifest(&run), status(commitment));
        let file = desk.folder.write("whole.yaml", &whole);
        let sign = ["manifest", "sign", "-f", &file, "--key", &keys.private];
        let answer = ends(ended, &[&sign[..], &["--in-place"]].concat());
        assert_eq!(desk.folder.read("whole.yaml") == whole, ended == 1);
        let words = format!("body.commitment is {own}, status.commitment is {other}");
        assert_eq!(answer.err.contains(&words), ended == 1, "{}", answer.err);
    }
}

#[test]
fn a_blob_without_a_permit_is_verified_for_a_commitment_that_was_compared() {
    let desk = Desk::new("verified");
    let keys = ed25519(&desk.folder, "one");
    let (own, other) = (commitment(), "f0".repeat(32));
    let compared = ["--commitment", &own];
    let attested = sealed(&desk.root, Some(desk.digest));
    for (blob, provenance, without) in [
        (inner(), "WithoutDocument", 1),
        (sealed(&desk.root, None), "WithoutPermit", 1),
        (attested, "Attested", 0),
    ] {
        let run = desk.render(0, &blob, &compared).out;
        let file = desk.folder.write("run.yaml", run);
        let sign = ["manifest", "sign", "-f", &file, "--key", &keys.private];
        ends(0, &[&sign[..], &["--in-place"]].concat());
        for (flags, status) in [
            (&[][..], without),
            (&["--commitment", &other], 1),
            (&compared, 0),
        ] {
            let answer = desk.verify(status, &[flags, &["-o", "json"]].concat());
            let found: Value = serde_json::from_str(&answer.out).unwrap();
            let members = ["fits", "provenance", "commitment"].map(|name| &found["blob"][name]);
            let expected = [json!(status == 0), json!(provenance), json!(own)];
            assert_eq!(members, expected.each_ref(), "{found}");
            assert_eq!(found["verified"], true);
            let why = found["blob"]["why"].as_str().unwrap_or_default();
            assert_eq!(why.is_empty(), status == 0, "{found}");
            let people = desk.verify(status, flags).out;
            let words = if status == 0 { "fits: " } else { "unproven: " };
            assert!(people.contains(&format!("blob      {words}")), "{people}");
        }
        assert_eq!(
            desk.verify(without, &[]).out.contains("--commitment <HEX>"),
            without == 1
        );
    }
}
