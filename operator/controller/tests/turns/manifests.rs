//! Turns of a cluster whose image measures an authority: what is said of its manifest, and where that is kept.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chamber_api::ChamberCluster;
use chamber_resource::{manifest, release};
use cluster_manifest::{Authority, Kind, Manifest, Signature, SignedManifest};
use http::Method;
use key_policy::{Profile, Template};
use measurement::{MANIFEST_REGISTER, Pcr};
use sealed_blob::{InnerBlob, SealedShare};
use serde_json::{Value, json};

use crate::api::Fails;
use crate::bench::{self, TurnBench, arn};

const SECRETS: &str = "/api/v1/namespaces/n/secrets";
const COMMITMENT: [u8; 32] = [6; 32];

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn authority() -> String {
    authority_of(7)
}

fn authority_of(seed: u8) -> String {
    let key = hex::encode(pair(seed).public_key().as_ref());
    let der = hex::decode(format!("302a300506032b6570032100{key}")).unwrap();
    let text = STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

/// A manifest of the cluster, signed by its authority.
fn signed(kind: Kind) -> SignedManifest {
    let body = Manifest {
        kind,
        cluster_id: "one".into(),
        generation: 1,
        threshold: 2,
        keys: ["a", "b", "c"].map(arn).to_vec(),
        signers: BTreeSet::new(),
        sealing_images: [Pcr::from_bytes([0x22; 48])].into(),
        previous: None,
    };
    let signature = signature(7, &body);
    SignedManifest::new(body, vec![signature]).unwrap()
}

fn signature(seed: u8, body: &Manifest) -> Signature {
    let authority = Authority::from_pem(&authority_of(seed)).unwrap();
    Signature {
        authority: authority.fingerprint(),
        bytes: pair(seed).sign(&body.encode().unwrap()).as_ref().to_vec(),
    }
}

fn run() -> SignedManifest {
    signed(Kind::Run {
        commitment: COMMITMENT,
    })
}

/// The release of the spec runs since long ago, under a run manifest; its blob is stored.
fn settled(signer: &mut Value) {
    signer["spec"]["sealing"] = json!("Managed");
    signer["spec"]["release"]["authorities"] = json!([authority()]);
    signer["spec"]["manifest"] = json!(manifest::to_spec(&run()));
    signer["spec"]["verification"]["attestation"] = json!("Disabled");
    let cluster: ChamberCluster = serde_json::from_value(signer.clone()).unwrap();
    let current = release::to_status(&release::of_spec(&cluster.spec).unwrap());
    signer["status"] =
        json!({"current": current, "rollovers": 1, "commitment": hex::encode(COMMITMENT)});
}

/// The same in a bench, with these policies of every key.
async fn stage(policy: &str, change: impl FnOnce(&mut Value)) -> TurnBench {
    let bench = TurnBench::new(|signer| {
        settled(signer);
        change(signer);
    })
    .await;
    for key in ["a", "b", "c"] {
        bench
            .aws
            .put(&arn(key), policy.to_owned(), "cluster/n/signer");
    }
    store(&bench);
    bench
}

/// The Secret that was sealed before there was a run manifest.
fn store(bench: &TurnBench) {
    let share = |name: &str| SealedShare {
        key_arn: arn(name),
        ciphertext: vec![1; 100],
    };
    let inner = InnerBlob {
        cluster_id: "one".into(),
        generation: 1,
        threshold: 2,
        shares: ["a", "b", "c"].map(share).to_vec(),
        commitment: COMMITMENT,
        origin: None,
    };
    let bound_to = bench::measurement("22");
    let name = format!("signer-sealed-{}", bound_to.id());
    let blob = sealed_blob::bind(&inner, &bound_to).unwrap();
    bench.api.put(
        &format!("{SECRETS}/{name}"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "data": {"blob": STANDARD.encode(STANDARD.encode(blob))}}),
    );
}

/// What the operator would write for the release.
fn own(pins: &[u8]) -> String {
    let mut measured = bench::measurement("22");
    measured
        .registers
        .insert(MANIFEST_REGISTER, run().digest().register());
    let profile = if pins.is_empty() {
        Profile::Standard
    } else {
        Profile::Pinned
    };
    let template = Template {
        pins: pins.iter().copied().collect(),
        profile,
        ..bench::template()
    };
    template.render(&[measured]).to_json()
}

/// With a Deny of somebody else that keeps every other manifest out, under this condition beside it.
fn fenced(beside: &Value) -> String {
    let mut policy: Value = serde_json::from_str(&own(&[])).unwrap();
    let mut condition = json!({"StringNotEqualsIgnoreCase":
        {"kms:RecipientAttestation:PCR16": run().digest().register().to_string()}});
    if !beside.is_null() {
        condition["StringEquals"] = beside.clone();
    }
    let fence = json!({"Sid": "Fence", "Effect": "Deny", "Principal": "*", "Action": "kms:*",
        "Resource": "*", "Condition": condition});
    policy["Statement"].as_array_mut().unwrap().push(fence);
    policy.to_string()
}

/// What the operator would write with these pins, with one statement more.
fn beside(pins: &[u8], effect: &str, action: &str, condition: &Value) -> String {
    let mut policy: Value = serde_json::from_str(&own(pins)).unwrap();
    let principal = match effect {
        "Allow" => json!({"AWS": bench::template().enclave_role_arn()}),
        _ => json!("*"),
    };
    let statement = json!({"Sid": "Beside", "Effect": effect, "Principal": principal, "Action": action,
        "Resource": "*", "Condition": condition});
    policy["Statement"].as_array_mut().unwrap().push(statement);
    policy.to_string()
}

/// Whatever other value of PCR16 a statement lets in, wherever it names it and by whichever operator.
#[tokio::test(start_paused = true)]
async fn every_other_manifest_that_a_policy_lets_in_counts() {
    let own_value = run().digest().register().to_string();
    let older = "5b".repeat(48);
    let (fresh, old) = (&own_value[..20], &older[..20]);
    let pcr16 = |operator: &str, values: Value| json!({operator: {"kms:RecipientAttestation:PCR16": values}});
    let fence = |operator: &str, values: Value| {
        let policy = beside(&[], "Deny", "kms:*", &pcr16(operator, values));
        (policy, json!([]))
    };
    let ignoring = "StringNotEqualsIgnoreCase";
    // Statement 3 pins the register, and no Deny does.
    let statement_3 = |allowed: &Value| {
        let policy = beside(&[16], "Allow", "kms:Decrypt", allowed);
        let mut policy: Value = serde_json::from_str(&policy).unwrap();
        let statements = policy["Statement"].as_array_mut().unwrap();
        statements.retain(|one| !one["Sid"].as_str().unwrap().contains("WithOther"));
        (policy.to_string(), json!(["pcr16"]))
    };
    for (name, (policy, pins), holds) in [
        ("own", fence(ignoring, json!([own_value])), true),
        ("two", fence(ignoring, json!([own_value, older])), false),
        ("exact", fence("StringNotEquals", json!([own_value])), true),
        (
            "exact two",
            fence("StringNotEquals", json!([own_value, older])),
            false,
        ),
        (
            "prefix",
            fence("StringNotLike", json!([own_value, format!("{old}*")])),
            false,
        ),
        (
            "own prefix",
            fence("StringNotLike", json!([format!("{fresh}*")])),
            false,
        ),
        (
            "pinned",
            statement_3(&pcr16("StringEquals", json!(own_value))),
            true,
        ),
        (
            "allowed",
            statement_3(&pcr16("StringEquals", json!(older))),
            false,
        ),
        (
            "allowed prefix",
            statement_3(&pcr16("StringLike", json!(format!("{old}*")))),
            false,
        ),
        (
            "allowed but",
            statement_3(&pcr16("StringNotEquals", json!(own_value))),
            false,
        ),
    ] {
        let bench = stage(&policy, |signer| {
            signer["spec"]["keys"]["policy"] = json!({"pins": pins});
        })
        .await;
        bench.event().await;
        let (found, reason, message) = binding(&bench);
        let wanted = if holds {
            ("True", "ManifestPinned")
        } else {
            ("False", "ManifestNotPinned")
        };
        assert_eq!(
            (found.as_str(), reason.as_str()),
            wanted,
            "{name}: {message}"
        );
    }
}

/// Status, reason and message of `ManifestBinding`.
fn binding(bench: &TurnBench) -> (String, String, String) {
    let status = bench.status();
    let mut all = status["conditions"].as_array().into_iter().flatten();
    let found = all.find(|found| found["type"] == "ManifestBinding");
    let found = found.cloned().unwrap_or_default();
    let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

#[tokio::test(start_paused = true)]
async fn a_fence_binds_a_manifest_where_it_depends_on_nothing_that_a_parent_chooses() {
    let endpoint = json!({"aws:SourceVpce": "vpce-1"});
    let assumed = json!({"aws:SourceVpce": "vpce-1"});
    for (name, policy, assume, holds, reason) in [
        ("none", own(&[]), Value::Null, "False", "ManifestNotPinned"),
        ("pins", own(&[16]), Value::Null, "True", "ManifestPinned"),
        (
            "certain",
            fenced(&Value::Null),
            Value::Null,
            "True",
            "ManifestPinned",
        ),
        (
            "depends",
            fenced(&endpoint),
            Value::Null,
            "False",
            "ManifestNotPinned",
        ),
        // The chambers come by this endpoint; whoever runs a parent instance comes by another way.
        (
            "assumed",
            fenced(&endpoint),
            assumed,
            "False",
            "ManifestNotPinned",
        ),
    ] {
        let bench = stage(&policy, |signer| {
            let pins = policy == own(&[16]);
            if pins {
                signer["spec"]["keys"]["policy"] = json!({"profile": "Pinned", "pins": ["pcr16"]});
            } else if !assume.is_null() {
                signer["spec"]["keys"]["policy"] = json!({"assume": assume});
            }
        })
        .await;
        bench.event().await;
        let (found, why, message) = binding(&bench);
        assert_eq!((found.as_str(), why.as_str()), (holds, reason), "{name}");
        if holds == "False" {
            assert!(
                message.contains("3 keys open for this image"),
                "{name}: {message}"
            );
        }
        for key in ["a", "b", "c"] {
            assert_eq!(bench.aws.calls("PutKeyPolicy", &arn(key)), 0, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn authorities_that_were_left_out_are_not_called_none() {
    let left_out = |signer: &mut Value| {
        signer["spec"]["release"]
            .as_object_mut()
            .unwrap()
            .remove("authorities");
        signer["status"]["current"]["measurement"]
            .as_object_mut()
            .unwrap()
            .remove("pcr16");
    };
    let bench = stage(&own(&[]), left_out).await;
    bench.event().await;
    let (holds, reason, message) = binding(&bench);
    assert_eq!(
        (holds.as_str(), reason.as_str()),
        ("False", "AuthoritiesWanted")
    );
    assert!(
        message.contains("spec.release.authorities is empty") && !message.contains("not protected"),
        "{message}"
    );
    let bench = stage(&own(&[]), |signer| {
        left_out(signer);
        signer["spec"].as_object_mut().unwrap().remove("manifest");
    })
    .await;
    bench.event().await;
    assert_eq!(binding(&bench).1, "NoAuthority");
}

/// The Secrets with a manifest, by name.
fn kept(bench: &TurnBench) -> BTreeMap<String, Value> {
    let found = bench.api.list(SECRETS).into_iter();
    found
        .map(|secret| {
            let name = secret["metadata"]["name"].as_str().unwrap();
            (name.to_owned(), secret)
        })
        .filter(|(name, _)| name.starts_with("signer-manifest-"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_run_manifest_is_stored_beside_the_blob_that_was_sealed_before_it() {
    let bench = stage(&own(&[]), |_| {}).await;
    bench.event().await;
    let all = kept(&bench);
    let [(name, secret)] = all.iter().collect::<Vec<_>>().try_into().unwrap();
    let text = secret["data"]["manifest"].as_str().unwrap();
    let text = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
    assert_eq!(SignedManifest::from_text(&text).unwrap(), run());
    assert_eq!(secret["immutable"], true);
    assert_eq!(secret["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(
        secret["metadata"]["labels"]["chamber.dev/cluster"],
        "signer"
    );
    let made = || bench.api.calls(&Method::POST, "/secrets");
    bench.later().await;
    assert_eq!((made(), kept(&bench).len()), (1, 1), "once");

    // Signing again makes no further Secret, in whatever order, and what does not verify is not stored.
    let again = |signer: &mut Value| {
        let mut junk = signer["spec"]["manifest"]["signatures"][0].clone();
        junk["authority"] = json!("00".repeat(32));
        let signatures = signer["spec"]["manifest"]["signatures"]
            .as_array_mut()
            .unwrap();
        signatures.insert(0, junk);
    };
    bench.api.edit(bench::SIGNER, again);
    bench.later().await;
    assert_eq!((made(), kept(&bench)), (1, all.clone()));
    let bench = stage(&own(&[]), again).await;
    bench.event().await;
    let data = |all: &BTreeMap<String, Value>| all[name]["data"].clone();
    assert_eq!(data(&kept(&bench)), data(&all));
    assert_eq!(unkept(&bench), Vec::<String>::new());
    // Two authorities are stored in one order, however spec names them.
    let mut stored = BTreeSet::new();
    for seeds in [[7, 8], [8, 7]] {
        let bench = stage(&own(&[]), |signer| {
            let body = run().unverified().clone();
            let both = seeds.map(|seed| signature(seed, &body)).to_vec();
            let both = SignedManifest::new(body, both).unwrap();
            signer["spec"]["manifest"] = json!(manifest::to_spec(&both));
            signer["spec"]["release"]["authorities"] = json!([authority_of(8), authority()]);
        })
        .await;
        bench.event().await;
        stored.insert(data(&kept(&bench)).to_string());
    }
    assert_eq!(stored.len(), 1);
    assert!(!stored.contains(&data(&all).to_string()));
}

/// What Events say of a manifest that is not stored.
fn unkept(bench: &TurnBench) -> Vec<String> {
    let notes = bench.api.notes().into_iter();
    notes
        .filter(|note| note.contains("signer-manifest-"))
        .collect()
}

/// The path of the manifest's Secret.
fn stored() -> String {
    let digest = run().digest().to_string();
    format!("{SECRETS}/signer-manifest-{}", &digest[..32])
}

/// What somebody else changed in a Secret, after what is told of it.
type Theirs<'a> = (&'static str, &'a dyn Fn(&mut Value));

/// Reason, message and step of status, and how many chambers are asked for.
fn stands(bench: &TurnBench) -> (Value, Vec<Value>) {
    let status = bench.status();
    let sets = bench.api.list("/apis/apps/v1/namespaces/n/replicasets");
    let asked = sets.iter().map(|set| set["spec"]["replicas"].clone());
    let said = json!([status["reason"], status["message"], status["step"]]);
    (said, asked.collect())
}

#[tokio::test(start_paused = true)]
async fn whatever_keeps_the_manifest_from_being_stored_is_told_and_stops_nothing() {
    let undisturbed = stage(&own(&[]), |_| {}).await;
    let mut wanted = Vec::new();
    for _ in 0..4 {
        undisturbed.later().await;
        wanted.push(stands(&undisturbed));
    }
    assert!(wanted[3].1.iter().any(|asked| *asked != json!(0)));
    let path: &'static str = stored().leak();
    for (method, code, reason) in [
        (Method::POST, 500, "InternalError"),
        (Method::POST, 429, "TooManyRequests"),
        (Method::POST, 403, "Forbidden"),
        (Method::GET, 403, "Forbidden"),
        (Method::GET, 500, "InternalError"),
    ] {
        let bench = stage(&own(&[]), |_| {}).await;
        let at = if method == Method::POST {
            "/secrets"
        } else {
            path
        };
        let fails = Fails::Refused(code, reason);
        bench.api.fail(method.clone(), at, usize::MAX, fails);
        for wanted in &wanted {
            bench.later().await;
            assert_eq!(stands(&bench), *wanted, "{method} {code}");
        }
        let told = unkept(&bench);
        assert!(
            told.iter().all(|note| note.contains("is not there")),
            "{told:?}"
        );
        assert!(!told.is_empty(), "{method} {code}");
        bench.api.heal();
        bench.later().await;
        assert_eq!(kept(&bench).len(), 1, "{method} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_is_not_taken_for_the_manifest_s_though_its_data_is_equal() {
    let first = stage(&own(&[]), |_| {}).await;
    first.event().await;
    first.later().await;
    let (own_secret, stood) = (first.api.get(&stored()).unwrap(), stands(&first));
    let bare = SignedManifest::new(run().unverified().clone(), Vec::new()).unwrap();
    let bare = STANDARD.encode(bare.to_text().unwrap());
    let changes: [Theirs; 4] = [
        ("somebody else made it", &|secret| {
            secret["metadata"]["labels"] = Value::Null;
        }),
        ("somebody else made it", &|secret| {
            secret["immutable"] = Value::Null;
        }),
        ("somebody else made it", &|secret| {
            secret["data"] = json!({"manifest": "QUFBQQ=="});
        }),
        ("without a signature", &|secret| {
            secret["data"] = json!({"manifest": bare});
        }),
    ];
    for (why, change) in changes {
        let mut theirs = own_secret.clone();
        change(&mut theirs);
        let bench = stage(&own(&[]), |_| {}).await;
        bench.api.put(&stored(), theirs.clone());
        bench.event().await;
        bench.later().await;
        assert_eq!(stands(&bench), stood, "{why}");
        let told = unkept(&bench);
        assert!(
            told.first().is_some_and(|note| note.contains(why)),
            "{told:?}"
        );
        assert_eq!(bench.api.get(&stored()).unwrap()["data"], theirs["data"]);
        assert_eq!(bench.api.calls(&Method::POST, "/secrets"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_manifest_is_stored_that_chambers_would_not_believe_or_that_is_of_another_key() {
    let permit = |signer: &mut Value| {
        signer["spec"]["manifest"] = json!(manifest::to_spec(&signed(Kind::SealPermit)));
    };
    let forged = |signer: &mut Value| {
        signer["spec"]["manifest"]["signatures"][0]["signature"] = json!(STANDARD.encode([1; 64]));
    };
    let another = |signer: &mut Value| {
        signer["status"]["commitment"] = json!("07".repeat(32));
    };
    let changes: [&dyn Fn(&mut Value); 3] = [&permit, &forged, &another];
    for change in changes {
        let bench = stage(&own(&[]), change).await;
        bench.event().await;
        assert!(kept(&bench).is_empty(), "{}", bench.message());
    }
}
