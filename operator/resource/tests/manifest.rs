//! The manifest of a spec: each fault with its field, and one digest however the YAML is written.
#![expect(clippy::unwrap_used, reason = "a test")]

use chamber_api::{ChamberClusterSpec, ManifestSpec};
use chamber_resource::{Fault, manifest};
use cluster_manifest::SignedManifest;
use rollover::Reason;
use serde_json::{Value, json};

fn arn(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:111122223333:key/{id}")
}

fn good() -> Value {
    let share = |id: &str| json!({"name": id, "arn": arn(id), "management": "Observed"});
    json!({
        "clusterId": "test-local-signer",
        "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
        "keys": {"threshold": 2, "shares": [share("b"), share("a")]},
        "verification": {"prometheus": {"url": "http://p"}},
        "manifest": {
            "body": {
                "kind": "Run", "clusterId": "test-local-signer", "generation": 2, "threshold": 2,
                "keys": [arn("b"), arn("a")],
                "signers": ["22".repeat(48), "11".repeat(48)], "sealingImages": ["ab".repeat(48)],
                "previous": "33".repeat(48), "commitment": "44".repeat(32)
            },
            "signatures": [{"authority": "55".repeat(32), "signature": "A".repeat(128)}]
        }
    })
}

fn of(spec: Value) -> Result<Option<SignedManifest>, Fault> {
    let spec: ChamberClusterSpec = serde_json::from_value(spec).unwrap();
    manifest::of_spec(&spec)
}

#[test]
fn a_spec_without_one_has_none_and_a_good_one_is_read_in_full() {
    let mut spec = good();
    let signed = of(spec.clone()).unwrap().unwrap();
    assert_eq!(signed.unverified().keys, [arn("b"), arn("a")]);
    assert_eq!(signed.signatures().len(), 1);
    spec.as_object_mut().unwrap().remove("manifest");
    assert_eq!(of(spec).unwrap(), None);
}

/// Where, what, and the words that it must give.
type Case = (&'static str, Value, &'static str);

fn faults_of_the_body() -> Vec<Case> {
    let zeros = json!(["0".repeat(96)]);
    let mut cases = vec![
        (
            "kind",
            json!("SealPermit"),
            "body.commitment is given with kind SealPermit",
        ),
        (
            "commitment",
            Value::Null,
            "body.commitment is missing with kind Run",
        ),
        (
            "commitment",
            json!("4F".repeat(32)),
            "body.commitment has \"4F",
        ),
        ("commitment", json!("44"), "body.commitment has \"44\""),
        (
            "clusterId",
            json!("Test"),
            "body.clusterId: \"Test\", expected 1 to 45",
        ),
        (
            "clusterId",
            json!("another"),
            "body.clusterId is another, spec.clusterId is test-local-signer",
        ),
        ("generation", json!(0), "body.generation: 0"),
        ("generation", json!(-1), "body.generation is -1"),
        (
            "generation",
            json!(1_i64 << 32),
            "body.generation is 4294967296",
        ),
        ("generation", json!(1), "body.previous: a digest"),
        ("previous", Value::Null, "body.previous: none"),
        ("previous", json!("33"), "body.previous"),
        ("threshold", json!(0), "body.threshold: 0"),
        ("threshold", json!(300), "body.threshold is 300"),
        (
            "threshold",
            json!(1),
            "body.threshold is 1, spec.keys.threshold is 2",
        ),
    ];
    cases.extend([
        ("keys", json!([]), "body.keys: 0"),
        (
            "keys",
            json!([arn("b"), "alias/a"]),
            "body.keys: \"alias/a\", expected the full ARN",
        ),
        (
            "keys",
            json!([arn("b"), arn("b")]),
            "body.keys: one key named twice",
        ),
        (
            "keys",
            json!([arn("a"), arn("b")]),
            "the ARNs of spec.keys.shares is",
        ),
        (
            "keys",
            json!([arn("b"), arn("a"), arn("c")]),
            "the ARNs of spec.keys.shares is",
        ),
        ("signers", json!(["xyz"]), "body.signers[0]"),
        (
            "signers",
            json!(["11".repeat(48), "11".repeat(48)]),
            "body.signers has",
        ),
        ("signers", zeros.clone(), "body.signers: a reserved value"),
        (
            "sealingImages",
            zeros,
            "body.sealingImages: a reserved value",
        ),
        (
            "sealingImages",
            (1..=9).map(|at| format!("{at:096}")).collect(),
            "body.sealingImages: 9 values, expected at most 8",
        ),
    ]);
    cases
}

#[test]
fn every_fault_names_its_field() {
    for (field, value, words) in faults_of_the_body() {
        let mut spec = good();
        spec["manifest"]["body"][field] = value;
        refused(spec, words);
    }
    let signature =
        |authority: &str, signature: &str| json!({"authority": authority, "signature": signature});
    let (authority, bytes) = ("55".repeat(32), "A".repeat(128));
    for (signatures, words) in [
        (json!([]), "spec.manifest.signatures is empty"),
        (
            json!([signature("55", &bytes)]),
            "signatures[0].authority is \"55\"",
        ),
        (
            json!([signature(&authority, "?")]),
            "signatures[0].signature is not base64",
        ),
        (
            json!([signature(&authority, "AAAA")]),
            "signatures[0].signature has 3 bytes",
        ),
        (
            json!([signature(&authority, &bytes), signature(&authority, &bytes)]),
            "signatures has two of one authority",
        ),
        (
            (0..9)
                .map(|at| signature(&format!("{at:064}"), &bytes))
                .collect(),
            "signatures: 9 signatures, expected at most 8",
        ),
    ] {
        let mut spec = good();
        spec["manifest"]["signatures"] = signatures;
        refused(spec, words);
    }
}

#[test]
fn nobody_reads_one_with_external_sealing_and_nobody_may_seal_without_a_name() {
    let mut spec = good();
    spec["sealing"] = json!("External");
    refused(spec, "spec.sealing External");
    let mut spec = good();
    spec["manifest"]["body"]["signers"] = json!([]);
    spec["manifest"]["body"]["sealingImages"] = json!([]);
    refused(spec, "body.signers: nobody may seal");
}

fn refused(spec: Value, words: &str) {
    let fault = of(spec).unwrap_err();
    assert_eq!(fault.reason, Reason::InvalidSpec);
    assert!(fault.message.contains(words), "{words}: {}", fault.message);
}

#[test]
fn one_body_has_one_digest_however_its_yaml_is_written() {
    let written: ManifestSpec = serde_json::from_value(good()["manifest"].clone()).unwrap();
    let digest = manifest::signed(&written).unwrap().digest();
    let reformatted = format!(
        "signatures: []\nbody: {{commitment: '{}', keys: ['{}', \"{}\"],\n  previous: \"{}\", threshold: 0x2,\n  sealingImages: [{}], signers: [\"{}\", '{}'],\n  generation: 2, kind: Run, clusterId: 'test-local-signer'}}\n",
        "44".repeat(32),
        arn("b"),
        arn("a"),
        "33".repeat(48),
        "ab".repeat(48),
        "11".repeat(48),
        "22".repeat(48)
    );
    let other: ManifestSpec = serde_yaml_ng::from_str(&reformatted).unwrap();
    assert_eq!(manifest::signed(&other).unwrap().digest(), digest);
    let mut swapped = written;
    swapped.body.keys.reverse();
    assert_ne!(
        manifest::signed(&swapped).unwrap().digest(),
        digest,
        "the keys' order is the shares'"
    );
}

#[test]
fn yaml_and_back_is_the_identity() {
    let signed = of(good()).unwrap().unwrap();
    let text = serde_yaml_ng::to_string(&manifest::to_spec(&signed)).unwrap();
    let again = manifest::signed(&serde_yaml_ng::from_str(&text).unwrap()).unwrap();
    assert_eq!(again, signed);
    assert_eq!(manifest::to_spec(&again), manifest::to_spec(&signed));
}

#[test]
fn no_permit_is_of_a_later_generation() {
    let mut spec = good();
    spec["manifest"]["body"]["kind"] = json!("SealPermit");
    spec["manifest"]["body"]["commitment"] = Value::Null;
    let fault = of(spec.clone()).unwrap_err();
    let wanted = "body.generation is 2 with kind SealPermit: a seal makes generation 1";
    assert!(fault.message.contains(wanted), "{}", fault.message);
    spec["manifest"]["body"]["generation"] = json!(1);
    spec["manifest"]["body"]["previous"] = Value::Null;
    assert!(of(spec).unwrap().is_some());
}
