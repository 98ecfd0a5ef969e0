//! `manifest verify`: who signed, and whether a blob fits.

use cluster_manifest::Digest;
use nsm_emulator::TestRoot;
use serde_json::Value;

use super::world::{
    CLUSTER, Folder, Keys, ed25519, ends, inner, p384, sealed, signed_in_place, text, told,
    verified,
};

struct World {
    folder: Folder,
    root: TestRoot,
    one: Keys,
    two: Keys,
    /// A signed permit, and its digest.
    permit: String,
    digest: Digest,
}

fn world(name: &str) -> World {
    let folder = Folder::new(name);
    let (one, two) = (ed25519(&folder, "one"), p384(&folder, "two"));
    let root = TestRoot::generate().unwrap();
    folder.write("root.pem", root.certificate_pem());
    let file = folder.write("c.yaml", CLUSTER);
    let rendered = ends(0, &["manifest", "render", "-f", &file]);
    let permit = folder.write("permit.yaml", &rendered.out);
    signed_in_place(&permit, &one.private);
    let digest = Digest::parse(&told(&rendered, "digest")).unwrap();
    World {
        folder,
        root,
        one,
        two,
        permit,
        digest,
    }
}

#[test]
fn the_answer_names_who_signed_and_the_register() {
    let world = world("who");
    let (one, two) = (&world.one.public, &world.two.public);
    let verify = ["manifest", "verify", "-f", &world.permit, "--authority"];
    let run = ends(0, &[&verify[..], &[two, "--authority", one]].concat());
    for words in [
        "seal permit of cluster test-local-signer, generation 1",
        &world.digest.to_string(),
        &world.digest.register().to_string(),
        &format!(" good ({one})"),
        "verified  yes",
    ] {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
    let run = ends(1, &[&verify[..], &[two, "-o", "json"]].concat());
    let found: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(found["verified"], false);
    assert_eq!(found["signatures"][0]["state"], "unknown");
    assert_eq!(found["digest"], world.digest.to_string());
    assert_eq!(found["pcr16"], world.digest.register().to_string());
}

#[test]
fn a_changed_body_is_not_verified() {
    let world = world("changed");
    let changed = world
        .folder
        .read("permit.yaml")
        .replace("threshold: 2", "threshold: 1");
    let file = world.folder.write("changed.yaml", changed);
    let run = ends(
        1,
        &[
            "manifest",
            "verify",
            "-f",
            &file,
            "--authority",
            &world.one.public,
            "-o",
            "text",
        ],
    );
    assert!(
        run.out.contains(" bad (") && run.out.contains("verified  no"),
        "{}",
        run.out
    );
    // Order and spelling are no change.
    let value: Value = serde_yaml_ng::from_str(&world.folder.read("permit.yaml")).unwrap();
    let file = world.folder.write("same.json", format!("{value:#}"));
    verified(&file, &world.one.public);
}

#[test]
fn a_blob_fits_the_permit_that_it_was_sealed_under_and_its_run_manifest() {
    let world = world("fits");
    let (folder, root) = (&world.folder, world.folder.path("root.pem"));
    let cluster = folder.path("c.yaml");
    let bound = format!("PCR0={},PCR8={}", "1a".repeat(48), "8a".repeat(48));
    let blob = folder.write("blob.txt", text(&sealed(&world.root, Some(world.digest))));
    let rendered = ends(
        0,
        &[
            "manifest", "render", "-f", &cluster, "--blob", &blob, "--root", &root,
        ],
    );
    let run = folder.write("run.yaml", rendered.out);
    signed_in_place(&run, &world.two.private);
    let verify = |status, file: &str, key: &Keys, more: &[&str]| {
        let verify = [
            "manifest",
            "verify",
            "-f",
            file,
            "--authority",
            &key.public,
            "--blob",
            &blob,
        ];
        ends(status, &[&verify[..], more].concat())
    };
    let flags = ["--measurement", &bound, "--root", &root];
    for (file, key) in [(&world.permit, &world.one), (&run, &world.two)] {
        let answer = verify(0, file, key, &flags);
        assert!(
            answer.out.contains("blob      fits: sealed by an enclave"),
            "{}",
            answer.out
        );
    }
    // Verified, and another root: the blob alone makes it a no.
    let answer = verify(1, &run, &world.two, &flags[..2]);
    assert!(
        answer.out.contains("verified  yes") && answer.out.contains("does not fit"),
        "{}",
        answer.out
    );
    let answer = verify(2, &run, &world.two, &[]);
    assert!(
        answer.err.contains("--measurement is missing"),
        "{}",
        answer.err
    );
    // Sealed without a permit: not under this one.
    folder.write("blob.txt", text(&inner()));
    let answer = verify(
        1,
        &world.permit,
        &world.one,
        &[&flags[..], &["-o", "json"]].concat(),
    );
    let found: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(
        (&found["verified"], &found["blob"]["fits"]),
        (&true.into(), &false.into())
    );
    let why = found["blob"]["why"].as_str().unwrap();
    assert!(why.contains("names no manifest"), "{why}");
}

#[test]
fn what_cannot_be_read_ends_with_2() {
    let world = world("unreadable");
    let broken = world
        .folder
        .read("permit.yaml")
        .replace("threshold: 2", "threshold: 9");
    let broken = world.folder.write("broken.yaml", broken);
    let (one, private) = (world.one.public.as_str(), world.one.private.as_str());
    let cases: [(&[&str], &str); 4] = [
        (&["-f", &broken, "--authority", one], "body.threshold: 9"),
        (
            &["-f", &world.permit, "--authority", private],
            "a block \"PRIVATE KEY\"; expected PUBLIC KEY",
        ),
        (
            &["-f", &world.permit, "--authority", "absent.pub"],
            "absent.pub",
        ),
        (&["-f", &world.permit], "required arguments"),
    ];
    for (arguments, words) in cases {
        let run = ends(2, &[&["manifest", "verify"][..], arguments].concat());
        assert!(run.err.contains(words), "{arguments:?}: {}", run.err);
    }
}
