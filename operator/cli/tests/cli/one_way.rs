//! Verbs that are not taken back: they ask, and their dry run changes nothing.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::Run;
use crate::api_server::{ApiServer, Kubeconfig, with_variables};
use crate::hash;

/// A server, and the bodies that were sent to it.
struct Desk {
    server: ApiServer,
    sent: Arc<Mutex<Vec<String>>>,
    kubeconfig: Kubeconfig,
}

impl Desk {
    fn new(name: &str) -> Self {
        let sent = Arc::<Mutex<Vec<String>>>::default();
        let record = sent.clone();
        let server = ApiServer::start_asked(move |_, body| {
            if !body.is_empty() {
                let body = String::from_utf8(body.to_vec()).unwrap();
                record.lock().unwrap().push(body);
            }
            Some(signer())
        });
        let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
        let kubeconfig = Kubeconfig::of(name, &[("one", cluster)]);
        Self {
            server,
            sent,
            kubeconfig,
        }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        with_variables(arguments, &[("KUBECONFIG", &self.kubeconfig.file())])
    }
}

/// A resource whose key admits one image, which its only chamber runs.
fn signer() -> Value {
    let image = hash("22");
    let release = json!({"image": "i", "measurement": {"imageSha384": image}, "revision": "r"});
    json!({
        "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": "signer", "namespace": "chambers"},
        "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": image}},
            "keys": {"threshold": 1, "shares": []},
            "verification": {"prometheus": {"url": "http://p"}}},
        "status": {"verbs": {}, "current": release,
            "keys": [{"name": "a", "arn": "arn", "state": "Enabled", "inSync": true, "admitted": [image[..10]]}],
            "chambers": [{"pod": "p", "revision": "r", "unsealedSince": "2026-01-01T00:00:00Z"}]}
    })
}

#[test]
fn a_dry_run_is_judged_by_the_api_server_and_changes_nothing() {
    let desk = Desk::new("dry-run");
    let image = hash("22");
    for (verb, annotation) in [
        (&["abort", "signer"][..], "chamber.dev/abort"),
        (
            &["revoke", "signer", "--image", &image, "--reason", "leak"],
            "chamber.dev/revoke",
        ),
        (
            &["unrevoke", "signer", "--image", &image, "--reason", "none"],
            "chamber.dev/unrevoke",
        ),
        (
            &["transfer", "signer", "--from", "x/n/signer"],
            "chamber.dev/transfer-from",
        ),
    ] {
        let before = desk.server.seen().len();
        let run = desk.run(&[verb, &["--dry-run"]].concat());
        assert_eq!(run.status, 0, "{verb:?}: {}", run.err);
        assert!(
            run.out.starts_with("dry run: ") && run.out.contains(annotation),
            "{}",
            run.out
        );
        let seen = desk.server.seen().split_off(before);
        let writes: Vec<_> = seen
            .iter()
            .filter(|head| !head.starts_with("GET "))
            .collect();
        assert!(
            !writes.is_empty() && writes.iter().all(|head| head.contains("dryRun=All")),
            "{seen:?}"
        );
    }
    let run = desk.run(&[
        "revoke",
        "signer",
        "--image",
        &image,
        "--reason",
        "leak",
        "--dry-run",
    ]);
    assert!(
        run.out
            .contains("it would leave the policy of key a; every unsealed chamber runs it"),
        "{}",
        run.out
    );
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_sent() {
    let desk = Desk::new("one-way");
    let image = hash("22");
    for verb in [
        &["revoke", "signer", "--image", &image, "--reason", "leak"][..],
        &["unrevoke", "signer", "--image", &image, "--reason", "none"],
        &["transfer", "signer", "--from", "x/n/signer"],
    ] {
        let run = desk.run(verb);
        assert_eq!(run.status, 2, "{verb:?}");
        assert!(
            run.err.contains("Say --yes if that is meant"),
            "{}",
            run.err
        );
    }
    assert!(desk.sent.lock().unwrap().is_empty());
}
