//! `support bundle`: what helps is in it, and no secret that was planted wherever one can stand.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::Run;
use crate::api_server::{ApiServer, Kubeconfig, with_variables};

/// What must not be in it.
const PLANTED: [&str; 8] = [
    "planted-in-a-variable",
    "planted-in-an-annotation",
    "planted-in-an-argument",
    "planted-in-a-log",
    "planted-in-metrics",
    "AKIAPLANTEDPLANTED00",
    "eyJwbGFudGVkIjoidG9rZW4ifQ.eyJwbGFudGVkIjoidG9rZW4ifQ.c2ln",
    // What a seal pod's termination message has.
    "QmxvYjAxMjM0NTY3ODlBYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODlBYmNk",
];

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
}

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "annotations": {"vault.example.com/role": PLANTED[1]}},
        "spec": {"containers": [{"name": "a-sidecar"}, {"name": "operator", "image": "registry.example.com/signer:v1",
            "ports": [{"name": "metrics", "containerPort": 8080}],
            "args": [PLANTED[2]], "env": [{"name": "DATABASE", "value": PLANTED[0]}]}]},
        "status": {"containerStatuses": [{"name": "a-sidecar", "restartCount": 0},
            {"name": "operator", "restartCount": 1, "lastState": {"terminated": {
            "message": format!("sealed: {}", PLANTED[7])}}}]}
    })
}

fn event(of: &str, note: &str) -> Value {
    json!({"regarding": {"name": of}, "reason": "Paused", "note": note})
}

/// What is there; text as a JSON string, which the server sends as it is.
fn found(path: &str) -> Option<Value> {
    let log = || {
        let (token, key) = (PLANTED[6], PLANTED[5]);
        format!(
            "WARN turn failed failures=3\nauthorization: Bearer {token}\npassword={} key {key}\n",
            PLANTED[3]
        )
    };
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    Some(match path {
        "/apis/chamber.dev/v1alpha1/namespaces/chambers/chamberclusters/signer" => json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "chambers", "annotations": {
                "chamber.dev/paused": "true", "kubectl.kubernetes.io/last-applied-configuration": PLANTED[1]}},
            "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "0a".repeat(48)},
                    "template": {"spec": {"containers": [{"name": "enclave", "env": [{"name": "A", "value": PLANTED[0]}]}]}}},
                "keys": {"threshold": 1, "shares": []}, "verification": {"prometheus": {"url": "http://p"}}},
            "status": {"step": "Roll", "reason": "ChamberSealed", "message": "pod signer-1 is sealed", "verbs": {}}}),
        "/apis/apps/v1/namespaces/chambers/replicasets" => {
            list(&[json!({"metadata": {"name": "signer-0a1b2c3d4e"}})])
        }
        "/api/v1/namespaces/chambers/pods" => list(&[pod("signer-1")]),
        "/apis/events.k8s.io/v1/namespaces/chambers/events" => list(&[
            event("signer", "paused by a person"),
            event("signer-1", "its image was pulled"),
            event("signer-0a1b2c3d4e-gone1", "its node was lost"),
            event("another", "not ours"),
            event("signer-eu", "not ours"),
        ]),
        "/api/v1/namespaces/chambers/services"
        | "/apis/policy/v1/namespaces/chambers/poddisruptionbudgets"
        | "/apis/coordination.k8s.io/v1/namespaces/ops/leases"
        | "/apis/apps/v1/namespaces/ops/deployments" => list(&[]),
        "/version" => json!({"gitVersion": "v1.33.0"}),
        "/api/v1/namespaces/ops/pods" => list(&[pod("operator-1")]),
        "/api/v1/namespaces/ops/pods/operator-1/log" => json!(log()),
        "/api/v1/namespaces/ops/pods/operator-1:8080/proxy/metrics" => {
            json!(format!(
                "chamber_operator_leading 1\nx{{token=\"{}\"}} 1\n",
                PLANTED[4]
            ))
        }
        _ => return None,
    })
}

fn bundle(server: &ApiServer, folder: &Path) -> Run {
    let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
    let name = folder.file_name().unwrap().to_str().unwrap();
    let kubeconfig = Kubeconfig::of(name, &[("one", cluster)]);
    let directory = folder.to_str().unwrap();
    with_variables(
        &[
            "support",
            "bundle",
            "signer",
            "--operator-namespace",
            "ops",
            "--directory",
            directory,
        ],
        &[("KUBECONFIG", &kubeconfig.file())],
    )
}

/// Every file with its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let inner = files(&path).into_iter();
            found.extend(inner.map(|(file, text)| (format!("{name}/{file}"), text)));
        } else {
            found.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn what_helps_is_in_it_and_no_secret_is() {
    let server = ApiServer::start_with(found);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bundle-whole");
    let run = bundle(&server, &folder);
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    let files = files(&folder);
    let all = files.iter().map(|(_, text)| text.as_str());
    let all = all.chain([run.out.as_str()]).collect::<Vec<_>>().join("\n");
    for secret in PLANTED {
        assert!(!all.contains(secret), "{secret} is in it");
    }
    for helpful in [
        "pod signer-1 is sealed",
        "chamber.dev/paused: 'true'",
        "paused by a person",
        "its image was pulled",
        "its node was lost",
        "signer-0a1b2c3d4e",
        "turn failed failures=3",
        "chamber_operator_leading 1",
        "registry.example.com/signer:v1",
        "name: DATABASE",
        "v1.33.0",
        &"0a".repeat(48),
    ] {
        assert!(all.contains(helpful), "{helpful} is missing: {all}");
    }
    assert!(!all.contains("not ours"), "{all}");
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    for file in [
        "operator-1.log",
        "operator-1.previous.log",
        "operator-1.metrics",
    ] {
        let file = format!("operator/{file}");
        assert!(names.contains(&file.as_str()), "{names:?}");
    }
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let asked = server.seen();
    assert!(
        !asked.iter().any(|head| head.contains("/secrets")),
        "{asked:?}"
    );
    let again = bundle(&server, &folder);
    assert_eq!(again.status, 2, "a folder that is there is left alone");
}

#[test]
fn what_may_not_be_read_is_named_and_the_rest_is_there() {
    let server = ApiServer::start_with(|path| {
        let forbidden = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403,
            "message": "pods is forbidden: User x cannot list"});
        if path.starts_with("/api/v1/namespaces/ops/pods") {
            return Some(forbidden);
        }
        found(path)
    });
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("bundle-part");
    let run = bundle(&server, &folder);
    assert_eq!(run.status, 2, "{}{}", run.out, run.err);
    let told = "operator/pods.yaml: pods is forbidden: User x cannot list";
    assert!(run.out.contains(told), "{}", run.out);
    let unread = std::fs::read_to_string(folder.join("unread.txt")).unwrap();
    assert!(unread.contains(told), "{unread}");
    assert!(folder.join("pods.yaml").exists());
}

#[test]
fn an_operator_that_is_not_found_is_named_and_so_is_a_pod_that_cannot_be() {
    for (pods, told) in [
        (
            list(&[]),
            "no pod with app.kubernetes.io/name=chamber-operator in namespace ops",
        ),
        (list(&[pod("../../elsewhere")]), "which no pod can have"),
    ] {
        let server = ApiServer::start_with(move |path| {
            let asked = path.starts_with("/api/v1/namespaces/ops/pods?");
            if asked {
                Some(pods.clone())
            } else {
                found(path)
            }
        });
        let place = tempfile::tempdir().unwrap();
        let run = bundle(&server, &place.path().join("bundle-none"));
        assert_eq!(run.status, 2, "{}{}", run.out, run.err);
        assert!(run.out.contains(told), "{}", run.out);
    }
}
