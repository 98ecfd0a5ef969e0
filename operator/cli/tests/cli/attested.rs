//! `attestation get`: a document of a running chamber, asked for through the API server.

use std::collections::BTreeMap;

use ::attestation::{Claims, GateClaims};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use serde_json::{Value, json};

use crate::Run;
use crate::api_server::{ApiServer, Kubeconfig, with_variables};

const POD: &str = "/api/v1/namespaces/chambers/pods/signer-x";
const QUESTION: &str = "/api/v1/namespaces/chambers/pods/http:signer-x:9100/proxy/attestation";

fn pod(port: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "signer-x"}, "spec": {"containers": [
        {"name": "proxy", "ports": [{"name": "metrics", "containerPort": 1}]},
        {"name": "enclave", "ports": [{"name": "app", "containerPort": 2}, {"name": port, "containerPort": 9100}]},
    ]}})
}

/// The nonce of a question.
fn nonce(question: &[u8]) -> Vec<u8> {
    let question: Value = serde_json::from_slice(question).unwrap();
    assert_eq!(question.as_object().unwrap().len(), 1, "{question}");
    hex::decode(question["nonce"].as_str().unwrap()).unwrap()
}

/// What a chamber's enclave makes for this nonce.
fn document(root: &TestRoot, image: u8, nonce: Vec<u8>) -> Vec<u8> {
    let claims = Claims::Gate(GateClaims {
        cluster_id: "prod-1".into(),
        blob: [0xb1; 48],
        commitment: [0xc0; 32],
        manifest: None,
        unsealed: true,
        opened: [1, 2].into(),
    });
    let request = AttestRequest {
        user_data: Some(claims.encode().unwrap()),
        nonce: Some(nonce),
        ..AttestRequest::default()
    };
    let pcrs = BTreeMap::from([(0, [image; 48])]);
    let module = NsmEmulator::new(root.issue_signer().unwrap(), pcrs);
    module.attest(&request).unwrap()
}

/// A cluster with one pod, whose host answers so.
struct Chamber {
    server: ApiServer,
    kubeconfig: Kubeconfig,
}

impl Chamber {
    fn new(
        name: &str,
        port: &'static str,
        answer: impl Fn(&[u8]) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let server = ApiServer::start_asked(move |path, question| match path {
            POD => Some(pod(port)),
            QUESTION => answer(question),
            _ => None,
        });
        let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
        let kubeconfig = Kubeconfig::of(name, &[("one", cluster)]);
        Self { server, kubeconfig }
    }

    /// A chamber that attests under this root.
    fn attesting(name: &str, root: TestRoot, image: u8) -> Self {
        Self::new(name, "metrics", move |question| {
            let document = document(&root, image, nonce(question));
            Some(json!({"document": STANDARD.encode(document)}))
        })
    }

    fn beside(&self, name: &str) -> String {
        self.kubeconfig
            .file()
            .replace("/config", &format!("/{name}"))
    }

    fn get(&self, status: i32, pod: &str, more: &[&str]) -> Run {
        let arguments = [&["attestation", "get", pod], more].concat();
        let run = with_variables(&arguments, &[("KUBECONFIG", &self.kubeconfig.file())]);
        assert_eq!(run.status, status, "{}{}", run.out, run.err);
        run
    }
}

#[test]
fn a_chamber_is_asked_with_a_fresh_nonce_and_its_document_is_judged() {
    let root = TestRoot::generate().unwrap();
    let pem = root.certificate_pem();
    let chamber = Chamber::attesting("attested", root, 1);
    let (root, saved) = (chamber.beside("root.pem"), chamber.beside("saved.cbor"));
    std::fs::write(&root, pem).unwrap();
    let json = ["--root", &root, "-o", "json", "--require-production"];
    let told = |more: &[&str]| -> Value {
        let run = chamber.get(0, "signer-x", &[&json[..], more].concat());
        serde_json::from_str(&run.out).unwrap()
    };
    let (first, second) = (told(&[]), told(&["--save", &saved]));
    for told in [&first, &second] {
        assert_eq!(told["verified"], true);
        assert_eq!(told["registers"]["PCR0"], "01".repeat(48));
        assert_eq!(told["claims"]["commitment"], "c0".repeat(32));
        assert_eq!(told["nonce"].as_str().unwrap().len(), 64);
    }
    assert_ne!(first["nonce"], second["nonce"]);
    let nonce = second["nonce"].as_str().unwrap();
    let verify = ["attestation", "verify", &saved, "--root", &root, "--nonce"];
    let again = with_variables(&[&verify[..], &[nonce]].concat(), &[]);
    assert_eq!(again.status, 0, "{}", again.out);
    let seen = chamber.server.seen();
    let lines: Vec<_> = seen.iter().filter_map(|head| head.lines().next()).collect();
    let (get, post) = (format!("GET {POD} "), format!("POST {QUESTION} "));
    assert!(lines[0].starts_with(&get) && lines[1].starts_with(&post) && lines.len() == 4);
    // AWS's root is not the one of this test.
    let run = chamber.get(1, "signer-x", &[]);
    assert!(run.out.contains("its root is not the one trusted here"));
}

#[test]
fn an_old_document_and_one_of_debug_mode_are_not_verified() {
    let root = TestRoot::generate().unwrap();
    let pem = root.certificate_pem();
    let old = STANDARD.encode(document(&root, 1, vec![7; 32]));
    let replay = Chamber::new("replay", "metrics", move |_| Some(json!({"document": old})));
    let debug = Chamber::attesting("debug", root, 0);
    for (chamber, words) in [
        (replay, "nonce: the document has 0707"),
        (debug, "debug mode"),
    ] {
        let root = chamber.beside("root.pem");
        std::fs::write(&root, &pem).unwrap();
        let run = chamber.get(1, "signer-x", &["--root", &root, "--require-production"]);
        assert!(run.out.contains(words), "{}", run.out);
    }
}

#[test]
fn where_there_is_no_document_it_ends_with_2_and_says_who_has_none() {
    let answered =
        |name: &str, answer: Option<Value>| Chamber::new(name, "metrics", move |_| answer.clone());
    let document = |text: &str| Some(json!({"document": text}));
    let cases = [
        (
            answered("none", None),
            "signer-x",
            "signer-x: its host does not know /attestation",
        ),
        (
            answered("other", Some(json!("ok"))),
            "signer-x",
            "signer-x: its host does not know /attestation",
        ),
        (
            answered("text", document("?")),
            "signer-x",
            "signer-x: its document is not base64",
        ),
        (answered("bytes", document("AAAA")), "signer-x", "malformed"),
        (
            answered("absent", None),
            "signer-y",
            "pod signer-y: not found",
        ),
        (
            Chamber::new("port", "http", |_| None),
            "signer-x",
            "no port named metrics: it is no chamber",
        ),
    ];
    for (chamber, pod, words) in cases {
        let run = chamber.get(2, pod, &[]);
        assert!(run.err.contains(words), "{words}: {}", run.err);
        assert_eq!(run.out, "");
    }
}
