//! `blob`: a copy is made, judged, and put back into another cluster.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_resource::{manifest, manifest_secret, sealed_secret};
use cluster_manifest::{Kind, SignedManifest};
use k8s_openapi::api::core::v1::Secret;
use kms_emulator::{Config, Server};
use measurement::Pcr;
use nsm_emulator::TestRoot;
use sealed_blob::InnerBlob;
use serde_json::{Value, json};

use crate::api_server::{ApiServer, Kubeconfig, with_variables};
use crate::manifest::world::{self, Folder};
use crate::{Run, hash};

/// The Secret that the release of the world's cluster needs.
const NAME: &str = "signer-sealed-";

/// A cluster, and the Secrets of its namespace.
struct Place {
    cluster: Value,
    secrets: Arc<Mutex<Vec<Value>>>,
    kubeconfig: Kubeconfig,
}

impl Place {
    fn new(name: &str, status: Value) -> Self {
        Self::of(name, world::CLUSTER, status)
    }

    /// The same with this ChamberCluster.
    fn of(name: &str, yaml: &str, status: Value) -> Self {
        let mut cluster: Value = serde_yaml_ng::from_str(yaml).unwrap();
        cluster["status"] = status;
        let secrets = Arc::<Mutex<Vec<Value>>>::default();
        let (found, there) = (cluster.clone(), Arc::clone(&secrets));
        let server = ApiServer::start_asked(move |path, body| {
            let path = path.split('?').next().unwrap();
            if path.ends_with("/chamberclusters/signer") {
                return Some(found.clone());
            }
            let mut secrets = there.lock().unwrap();
            let of = |secret: &Value| secret["metadata"]["name"].as_str().unwrap().to_owned();
            if path.ends_with("/secrets") {
                let made: Value = serde_json::from_slice(body).unwrap();
                if secrets.iter().any(|secret| of(secret) == of(&made)) {
                    return Some(
                        json!({"apiVersion": "v1", "kind": "Status", "status": "Failure",
                        "reason": "AlreadyExists", "code": 409, "message": "there"}),
                    );
                }
                secrets.push(made.clone());
                return Some(made);
            }
            let name = path.rsplit('/').next().unwrap();
            secrets.iter().find(|secret| of(secret) == name).cloned()
        });
        let url = format!("http://127.0.0.1:{}", server.port());
        Self {
            cluster,
            secrets,
            kubeconfig: Kubeconfig::of(name, &[("one", json!({"server": url}))]),
        }
    }

    /// A Secret as the operator makes it.
    fn has(&self, inner: &InnerBlob) {
        let name = format!("{NAME}{}", world::release().id());
        self.secrets.lock().unwrap().push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "data": {"blob": BASE64.encode(world::text(inner))},
        }));
    }

    fn run(&self, status: i32, arguments: &[&str]) -> Run {
        let file = self.kubeconfig.file();
        let arguments = [&["blob"], arguments].concat();
        let run = with_variables(&arguments, &[("KUBECONFIG", &file)]);
        assert_eq!(run.status, status, "{arguments:?}: {}{}", run.out, run.err);
        run
    }
}

fn sealed_status() -> Value {
    json!({"rollovers": 1, "verbs": {}, "commitment": world::commitment()})
}

#[test]
fn a_copy_goes_from_one_cluster_into_another() {
    let folder = Folder::new("copies");
    let from = Place::new("blob-from", sealed_status());
    from.run(2, &["export", "signer"]);
    from.has(&world::inner());
    let copy = folder.write("copy.yaml", from.run(0, &["export", "signer"]).out);
    let printed = folder.read("copy.yaml");
    assert!(!printed.contains("namespace"), "{printed}");
    assert!(printed.contains("immutable: true"), "{printed}");

    let to = Place::new("blob-to", sealed_status());
    let import = ["import", "signer", "-f", &copy];
    let told = to.run(0, &import).out;
    assert!(told.contains("is there now"), "{told}");
    let made = to.secrets.lock().unwrap()[0].clone();
    let there = from.secrets.lock().unwrap()[0].clone();
    assert_eq!(made["data"], there["data"], "bit for bit what was there");
    assert_eq!(made["metadata"]["name"], there["metadata"]["name"]);
    let told = to.run(0, &import).out;
    assert!(told.contains("was there already"), "{told}");
    assert_eq!(to.secrets.lock().unwrap().len(), 1);
}

#[test]
fn what_is_there_is_never_overwritten() {
    let folder = Folder::new("overwritten");
    let place = Place::new("blob-overwritten", sealed_status());
    let other = InnerBlob {
        commitment: [0xc1; 32],
        ..world::inner()
    };
    place.has(&other);
    let copy = folder.write("copy.txt", world::text(&world::inner()));
    let bound = world::release_text();
    let run = place.run(
        1,
        &["import", "signer", "-f", &copy, "--measurement", &bound],
    );
    assert!(run.err.contains("holds another blob"), "{}", run.err);
    assert_eq!(place.secrets.lock().unwrap().len(), 1);
}

#[test]
fn a_blob_that_is_not_the_clusters_is_neither_copied_nor_put_back() {
    let folder = Folder::new("not-the-clusters");
    let bound = world::release_text();
    let cases = [
        (
            "cluster id",
            InnerBlob {
                cluster_id: "another".into(),
                ..world::inner()
            },
        ),
        (
            "set of keys",
            InnerBlob {
                threshold: 1,
                ..world::inner()
            },
        ),
        (
            "commitment",
            InnerBlob {
                commitment: [0xc1; 32],
                ..world::inner()
            },
        ),
    ];
    for (at, (what, inner)) in cases.into_iter().enumerate() {
        let place = Place::new(&format!("blob-foreign-{at}"), sealed_status());
        let copy = folder.write("copy.txt", world::text(&inner));
        let import = ["import", "signer", "-f", &copy, "--measurement", &bound];
        let run = place.run(1, &import);
        assert!(run.err.contains(what), "{}", run.err);
        assert!(place.secrets.lock().unwrap().is_empty(), "{what}");
        place.has(&inner);
        let run = place.run(1, &["export", "signer"]);
        assert!(run.err.contains(what) && run.out.is_empty(), "{}", run.err);
    }
}

#[test]
fn a_cluster_that_knows_no_master_key_asks_for_the_commitment() {
    let folder = Folder::new("no-commitment");
    let place = Place::new("blob-no-commitment", Value::Null);
    assert_eq!(place.cluster["status"], Value::Null);
    let copy = folder.write("copy.txt", world::text(&world::inner()));
    let bound = world::release_text();
    let import = ["import", "signer", "-f", &copy, "--measurement", &bound];
    let run = place.run(2, &import);
    assert!(run.err.contains("--commitment is missing"), "{}", run.err);
    let wrong = "c1".repeat(32);
    let run = place.run(1, &[&import[..], &["--commitment", &wrong]].concat());
    assert!(run.err.contains("another master key"), "{}", run.err);
    assert!(place.secrets.lock().unwrap().is_empty());
    let right = world::commitment();
    place.run(0, &[&import[..], &["--commitment", &right]].concat());
    // Which release it is bound to is not guessed.
    let run = place.run(2, &["import", "signer", "-f", &copy]);
    assert!(run.err.contains("--measurement is missing"), "{}", run.err);
}

/// Keys of the blob: their policies admit the release, and `b` is not enabled where that is said.
fn keys() -> Config {
    let template = key_policy::Template::in_account("aws", "111122223333", "test-local-signer");
    let policy = template.render(&[world::release()]).to_json();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let closed = template.render(&[]).to_json();
    let closed: Value = serde_json::from_str(&closed).unwrap();
    let person = json!({"accessKeyId": "AKIAADMIN", "secretAccessKey": "secret",
        "principal": "arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/person"});
    let config = json!({
        "region": "us-east-1", "accounts": ["111122223333"],
        "nitroRootPem": TestRoot::generate().unwrap().certificate_pem(),
        "credentials": [person], "roles": [],
        "keys": [
            {"id": "a", "account": "111122223333", "policy": policy},
            {"id": "b", "account": "111122223333", "policy": policy},
            {"id": "closed", "account": "111122223333", "policy": closed},
        ],
    });
    Config::parse(&config.to_string()).unwrap()
}

/// `blob verify` of a copy, with somebody's credentials for KMS.
async fn verified(kms: &Server, file: &str, more: &[&str]) -> (i32, Value) {
    let (endpoint, file) = (format!("http://{}", kms.kms_address()), file.to_owned());
    let more: Vec<_> = more.iter().map(|one| (*one).to_owned()).collect();
    let bound = world::release_text();
    let run = move || {
        let mut arguments = vec!["blob", "verify", &file, "-o", "json"];
        arguments.extend(more.iter().map(String::as_str));
        if !more.iter().any(|one| one == "--measurement") {
            arguments.extend(["--measurement", &bound]);
        }
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIAADMIN"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL_KMS", endpoint.as_str()),
        ];
        with_variables(&arguments, &variables)
    };
    let run = tokio::task::spawn_blocking(run).await.unwrap();
    let told = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
    (run.status, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_worth_what_todays_keys_open() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let kms = Server::start(keys(), any, any).await.unwrap();
    let folder = Folder::new("worth");
    let good = folder.write("good.txt", world::text(&world::inner()));
    let (status, told) = verified(&kms, &good, &[]).await;
    assert_eq!((status, &told["opens"]), (0, &json!(true)), "{told}");
    assert_eq!(told["keys"][1]["open"], true);
    assert_eq!(told["commitment"], world::commitment());

    let mut inner = world::inner();
    inner.shares[1].key_arn = "arn:aws:kms:us-east-1:111122223333:key/closed".into();
    let closed = folder.write("closed.txt", world::text(&inner));
    let (status, told) = verified(&kms, &closed, &[]).await;
    assert_eq!((status, &told["opens"]), (1, &json!(false)), "{told}");
    assert_eq!(told["keys"][0]["open"], true);
    let why = told["keys"][1]["why"].as_str().unwrap();
    assert!(why.contains("does not surely let"), "{why}");
    // One of them would do.
    inner.threshold = 1;
    let one = folder.write("one.txt", world::text(&inner));
    assert_eq!(verified(&kms, &one, &[]).await.0, 0);

    inner.shares[1].key_arn = "arn:aws:kms:us-east-1:111122223333:key/gone".into();
    inner.threshold = 2;
    let gone = folder.write("gone.txt", world::text(&inner));
    let (status, told) = verified(&kms, &gone, &[]).await;
    assert_eq!(status, 1, "{told}");
    assert!(
        told["keys"][1]["why"]
            .as_str()
            .unwrap()
            .contains("NotFoundException"),
        "{told}"
    );
    let (status, told) = verified(&kms, &gone, &["--offline"]).await;
    assert_eq!((status, &told["opens"]), (0, &Value::Null), "{told}");
    kms.stop().await;
}

/// The release looks for its Secret under the name of its generation.
#[test]
fn a_copy_of_another_generation_than_the_manifests_is_not_put_back() {
    let folder = Folder::new("generations");
    let place = Place::new("blob-generations", sealed_status());
    let later = InnerBlob {
        generation: 2,
        ..world::inner()
    };
    let copy = folder.write("later.txt", world::text(&later));
    let bound = world::release_text();
    let import = ["import", "signer", "-f", &copy, "--measurement", &bound];
    let run = place.run(1, &import);
    let wanted = "its generation is 2, and spec.manifest's 1";
    assert!(run.err.contains(wanted), "{}", run.err);
    assert!(place.secrets.lock().unwrap().is_empty());
}

#[test]
fn a_copy_that_is_altered_or_of_another_release_is_none() {
    let folder = Folder::new("altered");
    let place = Place::new("blob-altered", sealed_status());
    let text = world::text(&world::inner());
    let good = folder.write("good.txt", &text);
    let other = hash("77");
    place.run(2, &["verify", &good, "--offline", "--measurement", &other]);
    let mut bytes = BASE64.decode(&text).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let bad = folder.write("bad.txt", BASE64.encode(bytes));
    let bound = world::release_text();
    place.run(2, &["verify", &bad, "--offline", "--measurement", &bound]);
    let empty = folder.write("empty.yaml", "kind: ConfigMap\n");
    let run = place.run(2, &["verify", &empty, "--offline"]);
    assert!(run.err.contains("has no Secret"), "{}", run.err);
}

#[test]
fn who_sealed_it_is_told_where_a_manifest_is_beside_it() {
    let folder = Folder::new("sealing");
    let place = Place::new("blob-sealing", sealed_status());
    let root = TestRoot::generate().unwrap();
    let root_file = folder.write("root.pem", root.certificate_pem());
    let bound = world::release_text();
    let blob = folder.write("blob.txt", world::text(&world::sealed(&root, None)));
    let verify = ["verify", &blob, "--offline", "--measurement", &bound];
    // Another root than the one that the enclave's module is under.
    let run = place.run(1, &verify);
    assert!(run.out.contains("sealing"), "{}", run.out);
    let run = place.run(0, &[&verify[..], &["--root", &root_file]].concat());
    assert!(run.out.contains("an enclave sealed it"), "{}", run.out);
}

/// A run manifest for a blob from before there were manifests, signed.
fn adopted(folder: &Folder) -> String {
    let keys = world::ed25519(folder, "authority");
    let cluster = folder.write("cluster.yaml", world::CLUSTER);
    let blob = folder.write("sealed.txt", world::text(&world::inner()));
    let render = ["manifest", "render", "-f", &cluster, "--blob", &blob];
    let commitment = world::commitment();
    let render = [&render[..], &["--commitment", &commitment]].concat();
    let run = folder.write("run.yaml", world::ends(0, &render).out);
    world::signed_in_place(&run, &keys.private);
    folder.read("run.yaml")
}

/// The commands of a page about copies, in their order.
fn commands(page: &str, verb: &str) -> Vec<String> {
    let path = format!("{}/../../docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let start = format!("    kubectl chamber {verb} ");
    let lines = text.lines().filter(|line| line.starts_with(&start));
    lines.map(|line| line.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_runbook_make_a_copy_and_put_it_back() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let kms = Server::start(keys(), any, any).await.unwrap();
    let endpoint = format!("http://{}", kms.kms_address());
    let run = move || {
        let folder = Folder::new("runbook");
        let run = adopted(&folder);
        let place = Place::of("blob-runbook", &world::with_manifest(&run), sealed_status());
        place.has(&world::inner());
        let kubeconfig = place.kubeconfig.file();
        let variables = [
            ("PROGRAM", env!("CARGO_BIN_EXE_kubectl-chamber")),
            ("KUBECONFIG", kubeconfig.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIAADMIN"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL_KMS", endpoint.as_str()),
        ];
        let commands = commands("runbook.md", "blob");
        for command in &commands {
            if command.contains(" import ") {
                place.secrets.lock().unwrap().clear();
            }
            let line = format!("kubectl() {{ shift; \"$PROGRAM\" \"$@\"; }}\n{command}");
            world::shell(&folder, &line, &variables).ends_as(command, "0");
        }
        assert_eq!(place.secrets.lock().unwrap().len(), 1, "it is there again");
        commands.len()
    };
    assert_eq!(tokio::task::spawn_blocking(run).await.unwrap(), 4);
    kms.stop().await;
}

/// The manifest in what `render` and `sign` wrote.
fn written(text: &str) -> SignedManifest {
    let read: Value = serde_yaml_ng::from_str(text).unwrap();
    manifest::signed(&serde_json::from_value(read["manifest"].clone()).unwrap()).unwrap()
}

/// A cluster that was sealed under a signed permit, with the run manifest after it: both signed, as YAML.
fn signed_twice(folder: &Folder, root: &TestRoot, private: &str) -> (InnerBlob, [String; 2]) {
    let root_file = folder.write("root.pem", root.certificate_pem());
    let cluster = folder.write("cluster.yaml", world::CLUSTER);
    let permit = folder.write(
        "permit.yaml",
        world::ends(0, &["manifest", "render", "-f", &cluster]).out,
    );
    world::signed_in_place(&permit, private);
    let permit = folder.read("permit.yaml");
    let inner = world::sealed(root, Some(written(&permit).digest()));
    let cluster = folder.write("cluster.yaml", world::with_manifest(&permit));
    let blob = folder.write("sealed.txt", world::text(&inner));
    let render = ["manifest", "render", "-f", &cluster, "--blob", &blob];
    let render = [&render[..], &["--root", &root_file]].concat();
    let run = folder.write("run.yaml", world::ends(0, &render).out);
    world::signed_in_place(&run, private);
    (inner, [permit, folder.read("run.yaml")])
}

/// The blob was stored before there was a run manifest: that is in a Secret of its own.
#[test]
fn a_copy_of_the_secrets_has_the_run_manifest_and_not_the_permit() {
    let folder = Folder::new("run-manifest");
    let root = TestRoot::generate().unwrap();
    let keys = world::ed25519(&folder, "authority");
    let (inner, [permit, run]) = signed_twice(&folder, &root, &keys.private);
    let [permit, run] = [written(&permit), written(&run)];
    let beside = Some(permit.to_text().unwrap());
    let blob = world::text(&inner);
    let sealed = sealed_secret::build("signer", &world::release(), 1, &blob, beside);
    let mut another = run.unverified().clone();
    another.kind = Kind::Run {
        commitment: [0xc1; 32],
    };
    let another = SignedManifest::new(another, run.signatures().to_vec()).unwrap();
    let secret = |signed: &SignedManifest, made: &str| {
        let mut secret = json!(manifest_secret::build("signer", signed).unwrap());
        secret["metadata"]["creationTimestamp"] = json!(made);
        secret
    };
    let of_type = |mut secret: Value| {
        secret["kind"] = json!("Secret");
        secret
    };
    let before = SignedManifest::new(run.unverified().clone(), Vec::new()).unwrap();
    let items = [
        secret(&another, "2026-03-03T00:00:00Z"),
        secret(&run, "2026-02-02T00:00:00Z"),
        secret(&before, "2026-01-01T00:00:00Z"),
        json!(sealed),
    ];
    let copy = json!({"kind": "List", "items": items.map(of_type)});
    let copy = folder.write("copy.yaml", copy.to_string());
    let printed = world::ends(0, &["blob", "manifest", &copy]).out;
    assert_eq!(written(&printed), run);
    let printed = folder.write("printed.yaml", printed);
    world::verified(&printed, &keys.public);

    // The sealed Secret alone has what there was when it was made.
    let alone = folder.write("alone.yaml", of_type(json!(sealed)).to_string());
    let printed = world::ends(0, &["blob", "manifest", &alone]).out;
    assert_eq!(written(&printed), permit);
    let bound = world::release_text();
    let bare = folder.write("bare.txt", blob);
    let none = ["blob", "manifest", &bare, "--measurement", &bound];
    assert!(world::ends(1, &none).err.contains("no cluster manifest"));

    let place = Place::new("blob-run-manifest", sealed_status());
    place.run(0, &["import", "signer", "-f", &copy]);
    let made = place.secrets.lock().unwrap()[0].clone();
    let made: Secret = serde_json::from_value(made).unwrap();
    let beside = SignedManifest::from_text(sealed_secret::manifest(&made).unwrap());
    assert_eq!(beside.unwrap(), run);
}

/// Whoever may write the spec can have a manifest of theirs stored, signed by themselves and made last.
#[test]
fn of_several_run_manifests_none_is_chosen_and_none_replaces_the_one_beside_the_blob() {
    let folder = Folder::new("several-manifests");
    let root = TestRoot::generate().unwrap();
    let keys = world::ed25519(&folder, "authority");
    let (inner, texts) = signed_twice(&folder, &root, &keys.private);
    let [permit, run] = texts.map(|text| written(&text));
    let mut theirs = run.unverified().clone();
    theirs.signers = [Pcr::from_bytes([0x66; 48])].into();
    let theirs = SignedManifest::new(theirs, run.signatures().to_vec()).unwrap();
    let sealed = |beside: &SignedManifest| {
        let beside = Some(beside.to_text().unwrap());
        let blob = world::text(&inner);
        json!(sealed_secret::build(
            "signer",
            &world::release(),
            1,
            &blob,
            beside
        ))
    };
    let stored = |signed: &SignedManifest, name: &str, made: &str| {
        let mut secret = json!(manifest_secret::build("signer", signed).unwrap());
        secret["metadata"]["name"] = json!(name);
        secret["metadata"]["creationTimestamp"] = json!(made);
        secret
    };
    let list = |name: &str, mut items: Vec<Value>| {
        for item in &mut items {
            item["kind"] = json!("Secret");
        }
        folder.write(name, json!({"kind": "List", "items": items}).to_string())
    };
    let first = stored(&run, "first", "2026-01-01T00:00:00Z");
    let foreign = stored(&theirs, "last", "2026-09-09T00:00:00Z");

    let both = list(
        "both.yaml",
        vec![sealed(&permit), first.clone(), foreign.clone()],
    );
    let place = Place::new("blob-several-manifests", sealed_status());
    place.run(1, &["import", "signer", "-f", &both]);
    assert!(place.secrets.lock().unwrap().is_empty());
    let said = world::ends(1, &["blob", "manifest", &both]).err;
    for part in [
        format!("{} in Secret first", run.digest()),
        format!("{} in Secret last", theirs.digest()),
        "Delete".to_owned(),
    ] {
        assert!(said.contains(&part), "{said}");
    }
    // As the refusal says.
    let chosen = list("chosen.yaml", vec![sealed(&permit), first.clone()]);
    assert_eq!(
        written(&world::ends(0, &["blob", "manifest", &chosen]).out),
        run
    );
    // Of one body the oldest that is signed, as the operator keeps it.
    let bare = SignedManifest::new(run.unverified().clone(), Vec::new()).unwrap();
    let again = [
        ("2025-09-09T00:00:00Z", "bare-first"),
        ("2026-09-09T00:00:00Z", "bare-last"),
    ];
    let mut items = vec![sealed(&permit), first];
    items.extend(again.map(|(made, name)| stored(&bare, name, made)));
    let copy = list("one-body.yaml", items);
    assert_eq!(
        written(&world::ends(0, &["blob", "manifest", &copy]).out),
        run
    );
    let own = list("own.yaml", vec![sealed(&run), foreign]);
    assert_eq!(
        written(&world::ends(0, &["blob", "manifest", &own]).out),
        run
    );
}
