//! Documents that prove the release, and each way in which one does not.

use std::collections::{BTreeMap, BTreeSet};

use attestation::{Claims, GateClaims, Root};
use axum::Router;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use measurement::{Measurement, Pcr};
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use serde_json::{Value, json};

use super::judge::Proof;
use super::*;
use crate::hosts::tests::{pod, serve};

const NONCE: &[u8] = b"a nonce of this question";

/// A root, and the enclaves under it.
struct Stage {
    authority: TestRoot,
    root: Root,
    measurement: Measurement,
}

fn measurement() -> Measurement {
    let mut measurement = Measurement::image(Pcr::from_bytes([1; 48]));
    measurement.registers.insert(8, Pcr::from_bytes([8; 48]));
    measurement
}

fn registers() -> BTreeMap<u8, [u8; 48]> {
    BTreeMap::from([(0, [1; 48]), (1, [2; 48]), (8, [8; 48])])
}

fn claims() -> GateClaims {
    GateClaims {
        cluster_id: "one".into(),
        blob: [7; 48],
        commitment: [6; 32],
        manifest: Some([5; 48]),
        unsealed: true,
        opened: BTreeSet::from([1, 3]),
    }
}

impl Stage {
    fn new() -> Self {
        let authority = TestRoot::generate().unwrap();
        Self {
            root: Root::from_pem(&authority.certificate_pem()).unwrap(),
            authority,
            measurement: measurement(),
        }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            root: &self.root,
            measurement: &self.measurement,
            cluster_id: "one",
            blob: [7; 48],
            commitment: hex::encode([6; 32]),
            keys: ["arn:a", "arn:b", "arn:c"].map(str::to_owned).to_vec(),
        }
    }

    fn enclave(&self, registers: BTreeMap<u8, [u8; 48]>) -> NsmEmulator {
        NsmEmulator::new(self.authority.issue_signer().unwrap(), registers)
    }

    /// A document of an enclave with these registers that says this.
    fn document(&self, registers: BTreeMap<u8, [u8; 48]>, user_data: Vec<u8>) -> Vec<u8> {
        let request = AttestRequest {
            user_data: Some(user_data),
            nonce: Some(NONCE.to_vec()),
            ..AttestRequest::default()
        };
        self.enclave(registers).attest(&request).unwrap()
    }

    /// What is made of a document whose claims were changed.
    fn claiming(&self, change: impl FnOnce(&mut GateClaims)) -> Result<Proof, String> {
        let mut claims = claims();
        change(&mut claims);
        let claims = Claims::Gate(claims).encode().unwrap();
        self.judge(&self.document(registers(), claims))
    }

    /// What is made of a document of an enclave with these registers.
    fn measured(&self, registers: BTreeMap<u8, [u8; 48]>) -> Result<Proof, String> {
        let claims = Claims::Gate(claims()).encode().unwrap();
        self.judge(&self.document(registers, claims))
    }

    fn judge(&self, document: &[u8]) -> Result<Proof, String> {
        self.expected().judge(document, NONCE, Timestamp::now())
    }
}

/// The instance that an enclave's documents name.
fn instance_of(stage: &Stage, enclave: &NsmEmulator) -> String {
    let document = enclave.attest(&AttestRequest::default()).unwrap();
    let at = attestation::At::Document;
    let verified = attestation::verify(&document, &stage.root, at).unwrap();
    verified.instance().unwrap().to_owned()
}

#[test]
fn a_document_of_the_release_proves_it_with_the_shares_that_it_opened() {
    let stage = Stage::new();
    let proof = stage.claiming(|_| ()).unwrap();
    let at = Timestamp::now();
    let Attestation::Refused(why) = proof.of_pod(&Ok("i-0123".into()), at) else {
        panic!("an enclave of another node is taken for the pod's");
    };
    assert!(why.contains("and its node is i-0123"), "{why}");

    let proof = stage.claiming(|_| ()).unwrap();
    let silent = proof.of_pod(&Err("its node n cannot be read".into()), at);
    assert_eq!(silent, super::silent("its node n cannot be read"));
}

/// PCR16 and the claims speak of one manifest: both are of the enclave that took it.
#[test]
fn a_release_under_a_manifest_is_proven_under_this_one_alone() {
    let manifest = cluster_manifest::Digest::from_bytes([5; 48]);
    let mut stage = Stage::new();
    let wanted = manifest.register();
    stage.measurement.registers.insert(16, wanted);
    let locked = |register: Pcr| {
        let mut registers = registers();
        registers.insert(16, *register.as_bytes());
        registers
    };
    let said = |registers, manifest| {
        let claims = GateClaims {
            manifest,
            ..claims()
        };
        let claims = Claims::Gate(claims).encode().unwrap();
        stage.judge(&stage.document(registers, claims))
    };
    assert!(said(locked(wanted), Some([5; 48])).is_ok());
    for other in [None, Some([4; 48])] {
        let why = said(locked(wanted), other).unwrap_err();
        assert!(why.contains("does not work under the manifest"), "{why}");
    }
    let other = cluster_manifest::Digest::from_bytes([4; 48]).register();
    for registers in [locked(other), registers()] {
        let why = said(registers, Some([5; 48])).unwrap_err();
        assert!(why.contains("PCR16 is"), "{why}");
    }
}

/// A change to the claims, and words of why they are refused.
type Lie = (fn(&mut GateClaims), &'static str);

const LIES: [Lie; 6] = [
    (|claims| claims.cluster_id = "two".into(), "cluster two"),
    (|claims| claims.blob[0] ^= 1, "sealed blob"),
    (|claims| claims.commitment[31] ^= 1, "master key"),
    (
        |claims| (claims.unsealed, claims.commitment) = (false, [0; 32]),
        "it is sealed",
    ),
    (
        |claims| claims.opened = BTreeSet::from([4]),
        "share 4, of 3",
    ),
    (
        |claims| claims.opened = BTreeSet::from([1, 16]),
        "share 16, of 3",
    ),
];

#[test]
fn each_claim_is_compared() {
    let stage = Stage::new();
    for (change, words) in LIES {
        let why = stage.claiming(change).unwrap_err();
        assert!(why.contains(words), "{words}: {why}");
    }
}

#[test]
fn every_register_of_the_release_is_compared_and_debug_mode_proves_nothing() {
    let stage = Stage::new();
    assert!(stage.measured(registers()).is_ok());
    let with = |index: u8, byte: u8| {
        let mut registers = registers();
        registers.insert(index, [byte; 48]);
        stage.measured(registers)
    };
    // What the release does not name may be anything.
    assert!(with(1, 9).is_ok());
    assert!(with(0, 9).unwrap_err().contains("PCR0 is 0909"));
    assert!(with(8, 9).unwrap_err().contains("PCR8 is 0909"));
    assert!(with(0, 0).unwrap_err().contains("debug mode"));
}

#[test]
fn a_document_of_another_purpose_or_of_nobody_is_refused() {
    let stage = Stage::new();
    let of = |user_data: Vec<u8>| {
        stage
            .judge(&stage.document(registers(), user_data))
            .unwrap_err()
    };
    let core = [7; 48];
    for claims in [
        Claims::Seal { core },
        Claims::Rewrap { core },
        Claims::Probe { subject: core },
    ] {
        let why = of(claims.encode().unwrap());
        assert!(why.contains("another purpose"), "{why}");
    }
    let why = of(b"of a workload".to_vec());
    assert!(why.contains("does not tell its state"), "{why}");
}

#[test]
fn another_root_another_nonce_another_time_or_a_flipped_bit_is_refused() {
    let stage = Stage::new();
    let claims = Claims::Gate(claims()).encode().unwrap();
    let document = stage.document(registers(), claims);
    let now = Timestamp::now();
    let expected = stage.expected();
    assert!(expected.judge(&document, NONCE, now).is_ok());
    let why = expected.judge(&document, b"another", now).unwrap_err();
    assert!(why.contains("nonce"), "{why}");
    for minutes in [6, -6] {
        let then = now + SignedDuration::from_mins(minutes);
        let why = expected.judge(&document, NONCE, then).unwrap_err();
        assert!(why.contains("set the clocks right"), "{why}");
    }
    let decades = now + SignedDuration::from_hours(24 * 365 * 20);
    let why = expected.judge(&document, NONCE, decades).unwrap_err();
    assert!(why.contains("not valid now"), "{why}");
    let mut flipped = document.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let why = expected.judge(&flipped, NONCE, now).unwrap_err();
    assert!(why.contains("signature"), "{why}");
    let aws = Root::aws();
    let trusting_aws = Expected {
        root: &aws,
        ..stage.expected()
    };
    let why = trusting_aws.judge(&document, NONCE, now).unwrap_err();
    assert!(why.contains("root"), "{why}");
}

fn read(pod: Value) -> Pod {
    serde_json::from_value(pod).unwrap()
}

/// A host before this enclave, which it asks with the nonce that `what` makes of the one that was sent.
async fn host(enclave: NsmEmulator, what: fn(Vec<u8>) -> Vec<u8>) -> Pod {
    let enclave = std::sync::Arc::new(enclave);
    let attest = move |asked: String| {
        let enclave = enclave.clone();
        async move {
            let asked: Value = serde_json::from_str(&asked).unwrap();
            let nonce = hex::decode(asked["nonce"].as_str().unwrap()).unwrap();
            assert!((16..=64).contains(&nonce.len()));
            let request = AttestRequest {
                user_data: Some(Claims::Gate(claims()).encode().unwrap()),
                nonce: Some(what(nonce)),
                ..AttestRequest::default()
            };
            let document = enclave.attest(&request).unwrap();
            axum::Json(json!({"document": STANDARD.encode(document)}))
        }
    };
    read(pod(serve(
        Router::new().route("/attestation", post(attest)),
    )
    .await))
}

#[tokio::test]
async fn a_chamber_that_is_asked_over_its_hosts_port_attests() {
    let stage = Stage::new();
    let enclave = stage.enclave(registers());
    let instance = Ok(instance_of(&stage, &enclave));
    let pod = host(enclave, |nonce| nonce).await;
    let hosts = Hosts::new().unwrap();
    let before = Timestamp::now();
    match ask(
        (&hosts, &Clock::of_the_node()),
        &pod,
        &instance,
        &stage.expected(),
    )
    .await
    {
        Attestation::Attested {
            at,
            opened,
            manifest,
        } => {
            assert!(at >= before && at <= Timestamp::now());
            assert_eq!(opened, ["arn:a", "arn:c"].map(str::to_owned).into());
            assert_eq!(manifest, Some("05".repeat(48)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_old_answer_is_refused_and_an_old_image_is_silent() {
    let stage = Stage::new();
    let hosts = Hosts::new().unwrap();
    let replayed = host(stage.enclave(registers()), |_| vec![0; 32]).await;
    let instance = Ok("i-0123".to_owned());
    let answer = ask(
        (&hosts, &Clock::of_the_node()),
        &replayed,
        &instance,
        &stage.expected(),
    )
    .await;
    assert!(
        matches!(&answer, Attestation::Refused(why) if why.contains("nonce")),
        "{answer:?}"
    );
    let old = read(pod(serve(Router::new()).await));
    let answer = ask(
        (&hosts, &Clock::of_the_node()),
        &old,
        &instance,
        &stage.expected(),
    )
    .await;
    assert!(
        matches!(&answer, Attestation::Silent(why) if why.contains("too old")),
        "{answer:?}"
    );
}

#[test]
fn no_two_questions_have_one_nonce() {
    let pod = |uid: Value| read(json!({"metadata": {"name": "p", "uid": uid}}));
    let one = nonce(&pod(json!("a"))).unwrap();
    assert_ne!(one, nonce(&pod(json!("a"))).unwrap());
    assert_ne!(one, nonce(&pod(json!("b"))).unwrap());
    // Without a uid nobody is asked.
    assert_eq!(nonce(&pod(json!(null))), None);
}
