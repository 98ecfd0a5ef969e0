//! Verify with chambers that are asked to attest: an enclave, a host and a node each, and a Prometheus that is content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attestation::{Claims, GateClaims, Root};
use aws_lc_rs::digest::{SHA384, digest};
use axum::Router;
use axum::extract::Query;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chamber_api::ChamberCluster;
use chamber_resource::release;
use http::Method;
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use sealed_blob::{InnerBlob, SealedShare};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api::Fails;
use crate::bench::{self, SIGNER, TurnBench, arn};

const PODS: &str = "/api/v1/namespaces/n/pods";
const COMMITMENT: [u8; 32] = [6; 32];
const NAMES: [&str; 2] = ["a", "b"];

/// A cluster in Verify whose two chambers attest.
struct Stage {
    bench: TurnBench,
    revision: String,
    /// What is still to be served by hosts, by pod.
    enclaves: BTreeMap<&'static str, Arc<NsmEmulator>>,
    claims: GateClaims,
}

async fn serve(app: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

/// What a content Prometheus answers for these pods.
async fn prometheus(pods: Vec<String>) -> u16 {
    let answer = async move |Query(asked): Query<BTreeMap<String, String>>| {
        let query = &asked["query"];
        let now = f64::from(u32::try_from(jiff::Timestamp::now().as_second()).unwrap());
        let value = match query {
            query if query.contains("rejected") => 0.0,
            query if query.starts_with("timestamp(") => now,
            _ => 1.0,
        };
        let series = |labels: Value| json!({"metric": labels, "value": [now, value.to_string()]});
        let keys: &[&str] = if query.contains("share_total") {
            &["a", "b", "c"]
        } else {
            &[""]
        };
        let result: Vec<_> = pods
            .iter()
            .flat_map(|pod| keys.iter().map(move |key| (pod, key)))
            .map(|(pod, key)| series(json!({"pod": pod, "key": arn(key)})))
            .collect();
        axum::Json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
    };
    serve(Router::new().route("/api/v1/query", get(answer))).await
}

fn measurement() -> measurement::Measurement {
    bench::measurement("22")
}

fn blob() -> Vec<u8> {
    sealed_blob::bind(&inner(), &measurement()).unwrap()
}

fn inner() -> InnerBlob {
    let share = |name: &str| SealedShare {
        key_arn: arn(name),
        ciphertext: vec![1; 100],
    };
    InnerBlob {
        cluster_id: "one".into(),
        generation: 1,
        threshold: 2,
        shares: ["a", "b", "c"].map(share).to_vec(),
        commitment: COMMITMENT,
        origin: None,
    }
}

impl Stage {
    /// Every chamber has a node and a host, and attests what is true.
    async fn new(attestation: Option<&str>) -> Self {
        let authority = TestRoot::generate().unwrap();
        let root = Root::from_pem(&authority.certificate_pem()).unwrap();
        let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
        let long_ago = jiff::Timestamp::from_second(long_ago.as_second()).unwrap();
        let bench = TurnBench::trusting(root, |signer| {
            signer["spec"]["sealing"] = json!("Managed");
            signer["spec"]["chambers"] = json!({"replicas": 2});
            if let Some(attestation) = attestation {
                signer["spec"]["verification"]["attestation"] = json!(attestation);
            }
            let cluster: ChamberCluster = serde_json::from_value(signer.clone()).unwrap();
            let to = release::to_status(&release::of_spec(&cluster.spec).unwrap());
            signer["status"]["rollover"]["to"] = json!(to);
            signer["status"]["rollover"]["admittedAt"] = json!(long_ago);
            signer["status"]["commitment"] = json!(hex::encode(COMMITMENT));
        })
        .await;
        for key in ["a", "b", "c"] {
            let both = ["11", "22"].map(bench::measurement);
            let policy = bench::template().render(&both).to_json();
            bench.aws.put(&arn(key), policy, "cluster/n/signer");
        }
        let mut sealed = [0; 48];
        sealed.copy_from_slice(digest(&SHA384, &blob()).as_ref());
        let enclaves = NAMES.map(|name| {
            let registers = BTreeMap::from([(0, [0x22; 48])]);
            let module = format!("i-0000000000000000{name}-enc0123456789abcdef");
            let enclave = NsmEmulator::new(authority.issue_signer().unwrap(), registers)
                .with_module_id(module);
            (name, Arc::new(enclave))
        });
        let mut stage = Self {
            revision: bench.status()["rollover"]["to"]["revision"]
                .as_str()
                .unwrap()
                .to_owned(),
            bench,
            enclaves: enclaves.into(),
            claims: GateClaims {
                cluster_id: "one".into(),
                blob: sealed,
                commitment: COMMITMENT,
                manifest: None,
                unsealed: true,
                opened: BTreeSet::from([1, 2, 3]),
            },
        };
        stage.objects(long_ago).await;
        stage
    }

    async fn objects(&mut self, long_ago: jiff::Timestamp) {
        let to = self.bench.status()["rollover"]["to"].clone();
        let owner = |uid: &str| json!([{"apiVersion": "a", "kind": "k", "name": "n", "uid": uid, "controller": true}]);
        let name = format!("signer-{}", self.revision);
        self.bench.api.put(
            &format!("/apis/apps/v1/namespaces/n/replicasets/{name}"),
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": name, "uid": "set", "ownerReferences": owner("u"),
                    "annotations": {"chamber.dev/release": to.to_string()},
                    "labels": {"chamber.dev/cluster": "signer", "chamber.dev/role": "chamber"}},
                "spec": {"replicas": 2}}),
        );
        self.store("22", &inner());
        for name in NAMES {
            self.node(name, &format!("aws:///eu-west-1a/{}", self.instance(name)));
            let pod = self.pod(name);
            self.bench.api.put(
                &format!("{PODS}/{pod}"),
                json!({"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": pod, "uid": pod, "ownerReferences": owner("set"), "labels": {
                        "chamber.dev/cluster": "signer", "chamber.dev/role": "chamber",
                        "chamber.dev/revision": self.revision, "chamber.dev/measurement": measurement().id()}},
                    "spec": {"nodeName": format!("node-{name}"), "containers": [{"name": "enclave",
                        "ports": [{"name": "metrics", "containerPort": 9}]}]},
                    "status": {"phase": "Running", "podIP": "127.0.0.1",
                        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": long_ago}],
                        "containerStatuses": [{"name": "enclave", "ready": true, "restartCount": 0, "image": "",
                            "imageID": "", "state": {"running": {"startedAt": long_ago}}}]}}),
            );
            self.host(name, name).await;
        }
        let port = prometheus(NAMES.map(|name| self.pod(name)).to_vec()).await;
        self.bench.api.edit(SIGNER, |signer| {
            let url = format!("http://127.0.0.1:{port}");
            signer["spec"]["verification"]["prometheus"]["url"] = json!(url);
        });
    }

    /// The sealed Secret of an image, as every version has called it.
    fn store(&self, image: &str, inner: &InnerBlob) {
        let bound_to = bench::measurement(image);
        let secret = format!("signer-sealed-{}", bound_to.id());
        let blob = sealed_blob::bind(inner, &bound_to).unwrap();
        self.bench.api.put(
            &format!("/api/v1/namespaces/n/secrets/{secret}"),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret},
                "data": {"blob": STANDARD.encode(STANDARD.encode(blob))}}),
        );
    }

    fn pod(&self, name: &str) -> String {
        format!("signer-{}-{name}", self.revision)
    }

    fn node(&self, name: &str, provider: &str) {
        let node = format!("node-{name}");
        self.bench.api.put(
            &format!("/api/v1/nodes/{node}"),
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node},
                "spec": {"providerID": provider}}),
        );
    }

    fn instance(&self, name: &str) -> String {
        let document = self.enclaves[name].attest(&AttestRequest::default());
        let root = &self.bench.ctx.root;
        let at = attestation::At::Document;
        let verified = attestation::verify(&document.unwrap(), root, at).unwrap();
        verified.instance().unwrap().to_owned()
    }

    /// The host of a pod asks this enclave.
    async fn host(&self, name: &str, enclave: &str) {
        let (enclave, claims) = (self.enclaves[enclave].clone(), self.claims.clone());
        let attest = async move |asked: String| {
            let asked: Value = serde_json::from_str(&asked).unwrap();
            let request = AttestRequest {
                user_data: Some(Claims::Gate(claims).encode().unwrap()),
                nonce: Some(hex::decode(asked["nonce"].as_str().unwrap()).unwrap()),
                ..AttestRequest::default()
            };
            let document = enclave.attest(&request).unwrap();
            axum::Json(json!({"document": STANDARD.encode(document)}))
        };
        self.at(
            name,
            serve(Router::new().route("/attestation", post(attest))).await,
        );
    }

    /// The host of a pod is of an image that does not know the question.
    async fn old_host(&self, name: &str) {
        self.at(name, serve(Router::new()).await);
    }

    fn at(&self, name: &str, port: u16) {
        self.bench
            .api
            .edit(&format!("{PODS}/{}", self.pod(name)), |pod| {
                pod["spec"]["containers"][0]["ports"][0]["containerPort"] = json!(port);
            });
    }

    /// The reason in status after a turn, and the message.
    async fn waits(&self) -> (String, String) {
        self.bench.event().await;
        let reason = self.bench.status()["reason"].as_str().map(str::to_owned);
        (reason.unwrap_or_default(), self.bench.message())
    }

    fn cluster(&self) -> ChamberCluster {
        serde_json::from_value(self.bench.api.get(SIGNER).unwrap()).unwrap()
    }

    fn retired(&self) -> bool {
        ["a", "b", "c"]
            .iter()
            .all(|key| !self.bench.admits(key, "11"))
    }
}

#[tokio::test]
async fn chambers_that_attest_let_the_rollover_end_and_status_says_so() {
    for attestation in [Some("Required"), Some("Preferred"), None] {
        let stage = Stage::new(attestation).await;
        stage.bench.event().await;
        assert!(stage.retired(), "{}", stage.bench.message());
        let status = stage.cluster().status.unwrap();
        assert_eq!(status.attested_release, Some(stage.revision.clone()));
        assert_eq!(status.chambers.len(), 2);
        assert!(
            status
                .chambers
                .iter()
                .all(|chamber| chamber.attested.is_some())
        );
        assert!(status.rollover.is_none());
        // A node is read by its name, and never in a list.
        assert_eq!(stage.bench.api.calls(&Method::GET, "/nodes"), 0);
        assert!(stage.bench.api.calls(&Method::GET, "/nodes/node-a") > 0);
    }
}

#[tokio::test]
async fn an_image_that_does_not_know_the_question_passes_where_nobody_demands_an_answer() {
    let stage = Stage::new(Some("Required")).await;
    stage.old_host("b").await;
    let (reason, message) = stage.waits().await;
    assert_eq!(reason, "AttestationMissing", "{message}");
    assert!(message.contains("too old to attest"), "{message}");
    assert!(!stage.retired());
    let status = stage.cluster().status.unwrap();
    let attested: Vec<_> = status
        .chambers
        .iter()
        .map(|c| c.attested.is_some())
        .collect();
    assert_eq!(attested, [true, false]);

    let stage = Stage::new(None).await;
    stage.old_host("b").await;
    stage.bench.event().await;
    assert!(stage.retired(), "{}", stage.bench.message());
    assert_eq!(stage.cluster().status.unwrap().attested_release, None);

    let stage = Stage::new(None).await;
    stage.old_host("b").await;
    stage.bench.api.edit(SIGNER, |signer| {
        signer["status"]["attestedRelease"] = json!("1111111111");
    });
    assert_eq!(stage.waits().await.0, "AttestationMissing");
    assert!(!stage.retired());
}

#[tokio::test]
async fn an_enclave_of_another_node_does_not_answer_for_a_pod() {
    let stage = Stage::new(None).await;
    stage.host("b", "a").await;
    let (reason, message) = stage.waits().await;
    assert_eq!(reason, "AttestationRefused", "{message}");
    let theirs = stage.instance("a");
    assert!(
        message.contains(&theirs) && message.contains("node-b"),
        "{message}"
    );
    assert!(!stage.retired());
}

#[tokio::test]
async fn what_an_enclave_says_of_another_blob_stops() {
    let mut stage = Stage::new(None).await;
    stage.claims.blob = [0; 48];
    stage.host("a", "a").await;
    let (reason, message) = stage.waits().await;
    assert_eq!(reason, "AttestationRefused", "{message}");
    assert!(message.contains("sealed blob"), "{message}");
}

#[tokio::test]
async fn a_node_that_cannot_be_read_or_is_none_of_ec2_leaves_a_chamber_unproven() {
    let stage = Stage::new(Some("Required")).await;
    let refused = Fails::Refused(403, "Forbidden");
    stage
        .bench
        .api
        .fail(Method::GET, "/nodes/node-a", 99, refused);
    let (reason, message) = stage.waits().await;
    assert_eq!(reason, "AttestationMissing", "{message}");
    assert!(message.contains("node-a cannot be read (403)"), "{message}");

    stage.bench.api.heal();
    stage.node("a", "kind://docker/kind/node-a");
    let (reason, message) = stage.waits().await;
    assert_eq!(reason, "AttestationMissing", "{message}");
    assert!(
        message.contains("no providerID of an EC2 instance"),
        "{message}"
    );
}

#[tokio::test]
async fn where_it_is_disabled_nobody_is_asked() {
    let mut stage = Stage::new(Some("Disabled")).await;
    stage.claims.blob = [0; 48];
    stage.host("a", "a").await;
    stage.bench.event().await;
    assert!(stage.retired(), "{}", stage.bench.message());
    assert_eq!(stage.bench.api.calls(&Method::GET, "/nodes/node-a"), 0);
}

/// The API server keeps the keys of a sealed cluster as they are; this is one that does not.
#[tokio::test]
async fn the_live_keys_are_those_of_the_blob_that_chambers_serve_from() {
    let stage = Stage::new(None).await;
    let mut others = inner();
    others.shares[2].key_arn = arn("d");
    stage.store("11", &others);
    let (reason, message) = stage.waits().await;
    assert_eq!(reason, "BlobMismatch", "{message}");
    assert!(
        message.contains(&arn("d")) && message.contains("put spec.keys back"),
        "{message}"
    );
    for key in ["a", "b", "c"] {
        assert!(stage.bench.admits(key, "11"), "nothing is called retired");
        assert_eq!(stage.bench.aws.calls("PutKeyPolicy", &arn(key)), 0);
        assert_eq!(stage.bench.aws.calls("TagResource", &arn(key)), 0);
    }

    let stage = Stage::new(None).await;
    stage.store("11", &inner());
    stage.bench.event().await;
    assert!(stage.retired(), "{}", stage.bench.message());
}

#[tokio::test]
async fn a_blob_of_another_generation_is_not_taken_under_the_name_of_the_first() {
    let stage = Stage::new(None).await;
    let mut later = inner();
    later.generation = 2;
    stage.store("11", &later);
    stage.store("22", &later);
    let (reason, message) = stage.waits().await;
    assert_ne!(reason, "", "{message}");
    assert!(!stage.retired(), "{message}");
    assert!(message.contains("is of generation 2"), "{message}");
}
