//! `attestation verify`: documents of real hypervisors and of the emulated module, exit statuses, both forms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ::attestation::{Claims, GateClaims};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use serde_json::{Value, json};

use crate::{Run, chamber};

/// Documents of real hypervisors.
pub const DOCUMENTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../enclave-image/attestation/tests/documents/"
);
const AWS: &str = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";

fn verify(arguments: &[&str]) -> Run {
    verify_text(arguments, "")
}

fn verify_text(arguments: &[&str], input: &str) -> Run {
    chamber(&[&["attestation", "verify"], arguments].concat(), input)
}

fn json_of(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{why}: {}{}", run.out, run.err))
}

fn real(name: &str) -> String {
    format!("{DOCUMENTS}{name}.cbor")
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("kubectl-chamber-attestation-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fresh document under a root of its own, and that root.
fn emulated(image: [u8; 48], request: &AttestRequest) -> (Vec<u8>, String) {
    let root = TestRoot::generate().unwrap();
    let signer = root.issue_signer().unwrap();
    let module = NsmEmulator::new(signer, BTreeMap::from([(0, image), (16, [0x16; 48])]));
    (module.attest(request).unwrap(), root.certificate_pem())
}

#[test]
fn a_real_document_is_verified_at_its_time_and_shown_to_people() {
    let file = real("signed-image-nonce-2023-01");
    let run = verify(&[&file, "--at", "2023-01-18T13:08:00Z"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(run.out, include_str!("attestation.txt"));
    assert_eq!(run.err, "");
}

#[test]
fn a_real_document_is_told_as_json() {
    let file = real("short-public-key-2024-04");
    let at = "2024-04-03T13:10:00Z";
    let run = verify(&[&file, "--at", at, "-o", "json"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let mut told = json_of(&run);
    let registers = told["registers"].take();
    let registers = registers.as_object().unwrap();
    assert_eq!(registers.len(), 16, "those of zeros, too");
    let image = registers["PCR0"].as_str().unwrap();
    assert!(image.starts_with("ea6ff0cc81650a6a"), "{image}");
    assert_eq!(registers["PCR15"], "0".repeat(96));
    assert_eq!(
        told,
        json!({
            "verified": true,
            "reason": null,
            "at": at,
            "root": AWS,
            "debug": false,
            "moduleId": "i-058bac400e426cc24-enc018e0924a1c4673e",
            "instance": "i-058bac400e426cc24",
            "timestamp": "2024-04-03T13:08:22.338Z",
            "registers": null,
            "publicKey": "2161b92813246981fda99f0c910e0246f97df74f4ad936f711f0ae6a84bd71d6",
            "userData": hex::encode(r#"{"total_memory":2091233280,"total_cpus":1}"#),
            "nonce": null,
            "claims": null,
        })
    );
}

/// The documents of real hypervisors, with a time right after they were made.
const REAL: [(&str, &str); 6] = [
    ("debug-2022-10", "2022-10-12T13:50:07Z"),
    ("public-key-800-2022-07", "2022-07-06T14:18:23Z"),
    ("short-public-key-2024-02", "2024-02-26T07:02:02Z"),
    ("short-public-key-2024-04", "2024-04-03T13:08:23Z"),
    ("signed-image-2022-10", "2022-10-13T08:58:03Z"),
    ("signed-image-nonce-2023-01", "2023-01-18T13:07:20Z"),
];

#[test]
fn every_real_document_is_verified_at_its_own_time_and_none_with_a_flipped_bit() {
    let scratch = Folder::new("flipped");
    for (name, at) in REAL {
        let run = verify(&[&real(name), "--at", at, "-o", "json"]);
        assert_eq!(run.status, 0, "{name}: {}", run.out);
        let debug = name.starts_with("debug");
        assert_eq!(json_of(&run)["debug"], debug, "{name}");
        let run = verify(&[&real(name), "--at", at, "--require-production"]);
        assert_eq!(run.status, i32::from(debug), "{name}: {}", run.out);
        let whole = std::fs::read(real(name)).unwrap();
        // In the payload, and in the signature at the end.
        for place in [whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            let file = scratch.file("flipped.cbor", flipped);
            let run = verify(&[&file, "--at", at]);
            assert_eq!(run.status, 1, "{name}: {}{}", run.out, run.err);
        }
    }
}

#[test]
fn an_old_document_is_not_verified_now_and_nothing_of_it_is_told() {
    for (name, _) in REAL {
        let run = verify(&[&real(name)]);
        assert_eq!(run.status, 1, "{}{}", run.out, run.err);
        let expected = "not verified: the attestation document's certificate chain is invalid: a certificate is not valid at 20";
        assert!(run.out.starts_with(expected), "{}", run.out);
        assert_eq!(run.out.lines().count(), 1, "{}", run.out);
        let run = verify(&[&real(name), "-o", "json"]);
        assert_eq!(run.status, 1);
        let told = json_of(&run);
        let members: BTreeSet<_> = told
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let expected = BTreeSet::from(["at", "reason", "root", "verified"]);
        assert_eq!(members, expected, "whatever their order");
        assert_eq!(told["verified"], false);
    }
}

#[test]
fn debug_mode_is_told_and_refused_where_production_is_required() {
    let file = real("debug-2022-10");
    let at = ["--at", "2022-10-12T13:51:00Z"];
    let run = verify(&[&[file.as_str()], &at[..]].concat());
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out.contains("debug: PCR0 is zero"), "{}", run.out);
    let required = [&[file.as_str(), "--require-production"], &at[..]].concat();
    let run = verify(&required);
    assert_eq!(run.status, 1);
    assert!(
        run.out
            .starts_with("not verified: debug mode: PCR0 is zero"),
        "{}",
        run.out
    );
    let told = json_of(&verify(&[&required[..], &["-o", "json"]].concat()));
    assert_eq!(told["verified"], false);
    assert_eq!(told["debug"], true);
    assert_eq!(told["moduleId"], "i-03ad7cdb817437eeb-enc0183cc7569b3f6e1");
    let production = real("short-public-key-2024-04");
    let at = ["--at", "2024-04-03T13:10:00Z", "--require-production"];
    let run = verify(&[&[production.as_str()], &at[..]].concat());
    assert_eq!(run.status, 0, "{}", run.out);
}

#[test]
fn a_nonce_is_compared() {
    let folder = Folder::new("nonce");
    let request = AttestRequest {
        nonce: Some(vec![0xab; 32]),
        ..AttestRequest::default()
    };
    let (document, root) = emulated([1; 48], &request);
    let (without, its_root) = emulated([1; 48], &AttestRequest::default());
    let with = [folder.file("with", document), folder.file("with.pem", root)];
    let without = [
        folder.file("without", without),
        folder.file("without.pem", its_root),
    ];
    let verify = |[file, root]: &[String; 2], nonce: &str| {
        verify(&[file, "--root", root, "--nonce", nonce, "-o", "json"])
    };
    assert_eq!(verify(&with, &"ab".repeat(32)).status, 0);
    assert_eq!(verify(&with, &"AB".repeat(32)).status, 0);
    let last = format!("{}ac", "ab".repeat(31));
    for wanted in ["ab".repeat(31), "ab".repeat(33), last] {
        let other = verify(&with, &wanted);
        assert_eq!(other.status, 1);
        let reason = format!(
            "nonce: the document has {}, --nonce says {wanted}",
            "ab".repeat(32),
        );
        assert_eq!(json_of(&other)["reason"], reason);
    }
    let none = verify(&without, &"ab".repeat(32));
    assert_eq!(none.status, 1);
    let told = json_of(&none);
    assert_eq!(
        told["reason"],
        "nonce: the document has none, --nonce says one"
    );
    assert_eq!(told["verified"], false);
}

#[test]
fn claims_are_told_where_they_are_ours() {
    let folder = Folder::new("claims");
    let gate = |unsealed: bool| {
        Claims::Gate(GateClaims {
            cluster_id: "prod-1".into(),
            blob: [0xb1; 48],
            commitment: [if unsealed { 0xc0 } else { 0 }; 32],
            manifest: unsealed.then_some([0xd1; 48]),
            unsealed,
            opened: if unsealed {
                BTreeSet::from([1, 3])
            } else {
                BTreeSet::new()
            },
        })
    };
    let digest = |byte: &str| byte.repeat(48);
    let cases = [
        (
            Claims::Seal { core: [7; 48] },
            json!({ "purpose": "seal", "core": digest("07") }),
        ),
        (
            Claims::Rewrap { core: [7; 48] },
            json!({ "purpose": "rewrap", "core": digest("07") }),
        ),
        (
            Claims::Probe { subject: [7; 48] },
            json!({ "purpose": "probe", "subject": digest("07") }),
        ),
        (
            gate(true),
            json!({ "purpose": "gate", "clusterId": "prod-1", "blob": digest("b1"), "commitment": "c0".repeat(32),
                "manifest": digest("d1"), "unsealed": true, "opened": [1, 3] }),
        ),
        (
            gate(false),
            json!({ "purpose": "gate", "clusterId": "prod-1", "blob": digest("b1"), "commitment": null,
                "manifest": null, "unsealed": false, "opened": [] }),
        ),
    ];
    let mut shown = String::new();
    for (claims, expected) in cases {
        let request = AttestRequest {
            user_data: Some(claims.encode().unwrap()),
            ..AttestRequest::default()
        };
        let (document, root) = emulated([1; 48], &request);
        let (file, root) = (folder.file("d", document), folder.file("r.pem", root));
        let run = verify(&[&file, "--root", &root, "-o", "json"]);
        assert_eq!(run.status, 0, "{}{}", run.out, run.err);
        assert_eq!(json_of(&run)["claims"], expected);
        let people = verify(&[&file, "--root", &root, "-o", "text"]).out;
        let (_, people) = people.split_once("claims").unwrap();
        shown.push_str("claims");
        shown.push_str(people);
    }
    assert_eq!(shown, include_str!("claims.txt"));
}

#[test]
fn claims_that_are_ours_and_broken_are_said_to_be() {
    let folder = Folder::new("broken");
    let mut user_data = Claims::Seal { core: [7; 48] }.encode().unwrap();
    user_data.pop();
    let request = AttestRequest {
        user_data: Some(user_data),
        ..AttestRequest::default()
    };
    let (document, root) = emulated([1; 48], &request);
    let (file, root) = (folder.file("d", document), folder.file("r.pem", root));
    let told = json_of(&verify(&[&file, "--root", &root, "-o", "json"]));
    assert_eq!(told["claims"], Value::Null);
    let truncated = "claims: the bytes end inside core; it was cut short";
    assert_eq!(told["claimsError"], truncated);
    let people = verify(&[&file, "--root", &root]).out;
    assert!(people.contains("bytes end inside core"), "{people}");
}

#[test]
fn base64_is_read_as_programs_write_it_from_a_file_or_standard_input() {
    let bytes = std::fs::read(real("short-public-key-2024-04")).unwrap();
    let at = ["--at", "2024-04-03T13:10:00Z"];
    let padded = STANDARD.encode(&bytes);
    let lines: Vec<_> = padded.as_bytes().chunks(76).collect();
    let wrapped = lines.join(&b"\r\n"[..]);
    let utf16: Vec<u8> = "\u{feff}"
        .chars()
        .chain(padded.chars())
        .flat_map(|c| u16::try_from(u32::from(c)).unwrap().to_le_bytes())
        .collect();
    let folder = Folder::new("base64");
    for content in [
        padded.clone().into_bytes(),
        STANDARD_NO_PAD.encode(&bytes).into_bytes(),
        wrapped,
        utf16,
    ] {
        let file = folder.file("document.b64", content);
        let run = verify(&[&[file.as_str()], &at[..]].concat());
        assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    }
    let run = verify_text(&[&["-"], &at[..]].concat(), &format!("{padded}\n"));
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
}

#[test]
fn another_root_is_asked_for_by_its_file() {
    let folder = Folder::new("root");
    let (document, root) = emulated([1; 48], &AttestRequest::default());
    let file = folder.file("d", document);
    let root = folder.file("root.pem", root);
    let run = verify(&[&file]);
    assert_eq!(run.status, 1);
    assert!(
        run.out.contains("its root is not the one trusted here"),
        "{}",
        run.out
    );
    let told = json_of(&verify(&[&file, "--root", &root, "-o", "json"]));
    assert_eq!(told["verified"], true);
    assert_ne!(told["root"], AWS);
}

#[test]
fn a_forged_document_is_not_verified() {
    let mut bytes = std::fs::read(real("short-public-key-2024-04")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let folder = Folder::new("forged");
    let file = folder.file("d", bytes);
    let run = verify(&[&file, "--at", "2024-04-03T13:10:00Z"]);
    assert_eq!(run.status, 1);
    assert_eq!(
        run.out,
        "not verified: the attestation document's signature is invalid\n"
    );
}

#[test]
fn what_cannot_be_read_ends_with_2_and_says_what_it_is() {
    let folder = Folder::new("unreadable");
    let real = real("short-public-key-2024-04");
    let bytes = std::fs::read(&real).unwrap();
    let cut = folder.file("cut", &bytes[..1000]);
    let text = folder.file("text", "not a document");
    let empty = folder.file("empty", "");
    let long = folder.file("long", vec![0x84; 100_000]);
    let pem = folder.file("pem", "-----BEGIN");
    let long_nonce = "00".repeat(513);
    let malformed = "malformed: not a COSE_Sign1; give the document as raw CBOR or as base64";
    for (arguments, why) in [
        (vec![cut.as_str()], malformed),
        (vec![&text], malformed),
        (vec![&empty], malformed),
        (vec![&long], "has more than 66560 bytes"),
        (vec!["/does/not/exist"], "/does/not/exist: "),
        (
            vec![&real, "--root", "/does/not/exist"],
            "/does/not/exist: ",
        ),
        (vec![&real, "--root", &pem], "not PEM"),
        (vec![&real, "--root", &real], "--root"),
        (
            vec![&real, "--at", "yesterday"],
            "give a time as in 2026-11-26T09:00:00Z",
        ),
        (vec![&real, "--nonce", "xy"], "not hex"),
        (
            vec![&real, "--nonce", &long_nonce],
            "has 513 bytes, a document's nonce has 1 to 512",
        ),
        (
            vec![&real, "--nonce", ""],
            "has 0 bytes, a document's nonce has 1 to 512",
        ),
        (vec![&real, "-o", "sarif"], "invalid value"),
    ] {
        let run = verify(&arguments);
        assert_eq!(run.status, 2, "{arguments:?}: {}{}", run.out, run.err);
        assert!(run.err.contains(why), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
}
