//! `describe-eif`: registers, and what the measured files say.

use std::fs::File;

use eif_build::Ramdisk;
use measurement::eif::{AUTHORITIES, Image, write};

use crate::chamber;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
// openssl pkey -pubin -in KEY -outform DER | sha256sum
const FINGERPRINT: &str = "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f";
// printf agent | sha256sum
const AGENT: &str = "d4f0bc5a29de06b510f9aa428f1eedba926012b591fef7a518e776a7c9bd1824";

/// What is said of an image with these ramdisks: for people, and as JSON. The metadata claims another authority.
fn described(ramdisks: &[Vec<u8>]) -> (String, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enclave.eif");
    let image = Image {
        kernel: b"kernel",
        cmdline: "quiet",
        ramdisks,
        metadata: r#"{"Authorities": ["forged"], "InitSha256": "forged"}"#,
    };
    write(&image, None, File::create(&path).unwrap()).unwrap();
    let describe = |form: &str| {
        let run = chamber(&["describe-eif", path.to_str().unwrap(), "-o", form], "");
        assert_eq!(run.status, 0, "{}", run.err);
        run.out
    };
    (
        describe("human"),
        serde_json::from_str(&describe("json")).unwrap(),
    )
}

fn first() -> Vec<u8> {
    let mut ramdisk = Ramdisk::default();
    ramdisk.file("init", true, b"agent".to_vec()).unwrap();
    ramdisk.pack().unwrap()
}

fn second(authorities: Option<&str>) -> Vec<u8> {
    let mut ramdisk = Ramdisk::default();
    if let Some(pem) = authorities {
        ramdisk.file(AUTHORITIES, false, pem.into()).unwrap();
    }
    ramdisk.pack().unwrap()
}

#[test]
fn the_measured_files_say_which_agent_it_is_and_whom_it_believes() {
    let (human, json) = described(&[first(), second(Some(KEY))]);
    assert!(
        human.contains(&format!("authority {FINGERPRINT}\n")),
        "{human}"
    );
    assert!(
        human.contains(&format!("/init     SHA-256 {AGENT}\n")),
        "{human}"
    );
    assert_eq!(json["Authorities"], serde_json::json!([FINGERPRINT]));
    assert_eq!(json["InitSha256"], AGENT);
    assert!(!human.contains("forged"), "{human}");
}

#[test]
fn none_and_unknown_are_told_apart() {
    let (human, json) = described(&[first(), second(None)]);
    assert!(human.contains("authority none: without one"), "{human}");
    assert_eq!(json["Authorities"], serde_json::json!([]));
    let (human, json) = described(&[first(), b"another form".to_vec()]);
    assert!(
        human.contains("files     unknown: ramdisk 2: cannot be unpacked"),
        "{human}"
    );
    assert!(json["Authorities"].is_null() && json["InitSha256"].is_null());
    assert!(json["FilesUnknown"].is_string());
}

#[test]
fn describe_eif_refuses_what_is_no_image() {
    let run = chamber(&["describe-eif", "-"], &"x".repeat(1000));
    assert_eq!(run.status, 2);
    assert!(
        run.err.contains("standard input: does not begin with"),
        "{}",
        run.err
    );
}
