//! Which API server is asked, in which namespace and as whom: the flags of kubectl.

use serde_json::json;

use crate::Run;
use crate::api_server::{ApiServer, Kubeconfig, with_variables};

/// Two API servers, and a kubeconfig with a context for each.
struct Two {
    first: ApiServer,
    second: ApiServer,
    kubeconfig: Kubeconfig,
}

impl Two {
    fn start(name: &str) -> Self {
        let (first, second) = (ApiServer::start(), ApiServer::start());
        let cluster =
            |server: &ApiServer| json!({"server": format!("http://127.0.0.1:{}", server.port())});
        let contexts = [("first", cluster(&first)), ("second", cluster(&second))];
        let kubeconfig = Kubeconfig::of(name, &contexts);
        Self {
            first,
            second,
            kubeconfig,
        }
    }

    /// Runs a verb, with the kubeconfig in the environment.
    fn run(&self, arguments: &[&str]) -> Run {
        with_variables(arguments, &[("KUBECONFIG", &self.kubeconfig.file())])
    }

    fn asked(&self) -> (usize, usize) {
        (self.first.seen().len(), self.second.seen().len())
    }
}

#[test]
fn the_context_chooses_the_server() {
    let two = Two::start("context");
    for (more, asked) in [
        (&[][..], (1, 0)),
        (&["--context", "second"], (1, 1)),
        (&["--context", ""], (2, 1)),
    ] {
        let run = two.run(&[&["status", "signer"][..], more].concat());
        assert_eq!(run.status, 0, "{}", run.err);
        assert_eq!(two.asked(), asked, "{more:?}");
    }
}

#[test]
fn an_unknown_context_is_told_with_those_that_there_are() {
    let two = Two::start("unknown");
    let run = two.run(&["status", "signer", "--context", "third"]);
    assert_eq!(run.status, 2);
    let told = "--context third: the kubeconfig has no such context; its contexts: first, second";
    assert!(run.err.contains(told), "{}", run.err);
    assert_eq!(two.asked(), (0, 0));
    let none = Kubeconfig::of("none", &[]);
    let run = with_variables(&["status", "signer"], &[("KUBECONFIG", &none.file())]);
    let told = "has no current-context: say --context with one of its contexts: none";
    assert!(run.status == 2 && run.err.contains(told), "{}", run.err);
}

#[test]
fn the_namespace_of_the_flag_counts_before_that_of_the_context() {
    let two = Two::start("namespace");
    for (more, namespace) in [
        (&[][..], "chambers"),
        (&["-n", "staging"], "staging"),
        (&["-n", ""], "chambers"),
    ] {
        let run = two.run(&[&["status", "signer"][..], more].concat());
        assert_eq!(run.status, 0, "{}", run.err);
        let seen = two.first.seen();
        let path = format!("/namespaces/{namespace}/chamberclusters/signer ");
        assert!(seen.last().unwrap().contains(&path), "{seen:?}");
    }
}

#[test]
fn as_and_as_group_impersonate() {
    let two = Two::start("impersonation");
    let arguments = [
        "status",
        "signer",
        "--as",
        "alice",
        "--as-group",
        "admins",
        "--as-group",
        "auditors",
    ];
    let run = two.run(&arguments);
    assert_eq!(run.status, 0, "{}", run.err);
    let head = two.first.seen()[0].to_ascii_lowercase();
    for header in [
        "impersonate-user: alice",
        "impersonate-group: admins",
        "impersonate-group: auditors",
    ] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{head}");
    }
    assert!(head.contains("authorization: bearer t"), "{head}");
    assert!(two.run(&["status", "signer"]).status == 0);
    assert!(
        !two.first.seen()[1]
            .to_ascii_lowercase()
            .contains("impersonate")
    );
    let run = two.run(&["status", "signer", "--as-group", "admins"]);
    assert!(
        run.status == 2 && run.err.contains("--as <USER>"),
        "{}",
        run.err
    );
}

#[test]
fn the_kubeconfig_of_the_flag_counts_before_that_of_the_environment() {
    let (two, other) = (Two::start("environment-file"), Two::start("flag-file"));
    let file = other.kubeconfig.file();
    let run = two.run(&[
        "pause",
        "signer",
        "--kubeconfig",
        &file,
        "--context",
        "second",
    ]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!((two.asked(), other.asked()), ((0, 0), (0, 1)));
    let run = two.run(&["status", "signer", "--kubeconfig", "/nowhere/config"]);
    assert!(
        run.status == 2 && run.err.contains("--kubeconfig: "),
        "{}",
        run.err
    );
    assert!(run.err.contains("/nowhere/config"), "{}", run.err);
}

#[test]
fn files_of_kubeconfig_that_are_not_there_are_passed_over() {
    let two = Two::start("several");
    let both = format!("/nowhere/config:{}", two.kubeconfig.file());
    let run = with_variables(&["status", "signer"], &[("KUBECONFIG", &both)]);
    assert_eq!(run.status, 0, "{}", run.err);
    let run = with_variables(&["status", "signer"], &[("KUBECONFIG", "/nowhere/config")]);
    assert!(
        run.status == 2
            && run
                .err
                .contains("KUBECONFIG: no such file: /nowhere/config"),
        "{}",
        run.err
    );
}

#[test]
fn flags_of_the_connection_are_of_the_verbs_that_have_one() {
    for flag in ["--context", "--kubeconfig", "--as"] {
        let run = with_variables(&["policy", "diff", "a", "b", flag, "x"], &[]);
        assert!(
            run.status == 2 && run.err.contains("unexpected argument"),
            "{}",
            run.err
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_failed() {
    let cluster = json!({"server": "http://127.0.0.1:1"});
    let kubeconfig = Kubeconfig::of("refused", &[("one", cluster)]);
    let run = with_variables(&["status", "signer"], &[("KUBECONFIG", &kubeconfig.file())]);
    assert_eq!(run.status, 2);
    assert!(
        run.err.contains("the API server http://127.0.0.1:1/: "),
        "{}",
        run.err
    );
    assert!(run.err.contains("refused"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
}

/// Without a name all are told, of one namespace or of all; one that is stalled counts.
#[test]
fn all_are_told_of_one_namespace_or_of_all() {
    let one = |namespace: &str, name: &str, stalled: &str| {
        json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "a"}},
                "keys": {"threshold": 1, "shares": []}, "verification": {"prometheus": {"url": "http://p"}}},
            "status": {"step": "Settled", "release": "v1", "conditions": [{"type": "Stalled", "status": stalled,
                "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
    };
    let server = ApiServer::start_with(move |path| {
        let items = match path.split('?').next().unwrap() {
            "/apis/chamber.dev/v1alpha1/chamberclusters" => {
                vec![
                    one("b", "x", "True"),
                    one("a", "z", "False"),
                    one("a", "y", "False"),
                ]
            }
            "/apis/chamber.dev/v1alpha1/namespaces/chambers/chamberclusters" => {
                vec![one("chambers", "signer", "False")]
            }
            "/apis/chamber.dev/v1alpha1/namespaces/none/chamberclusters" => Vec::new(),
            _ => return None,
        };
        Some(
            json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberClusterList", "metadata": {}, "items": items}),
        )
    });
    let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
    let kubeconfig = Kubeconfig::of("all", &[("one", cluster)]);
    let file = kubeconfig.file();
    let run = |arguments: &[&str]| {
        with_variables(&[&["status"], arguments].concat(), &[("KUBECONFIG", &file)])
    };
    let all = run(&["-A"]);
    assert_eq!(all.status, 1, "{}", all.err);
    let heads = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("settled on v1"));
        lines
            .map(|line| line.split("  ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(heads(&all.out), ["a/y", "a/z", "b/x"]);
    let own = run(&[]);
    assert_eq!(
        (own.status, heads(&own.out)),
        (0, vec!["chambers/signer".to_owned()]),
        "{}",
        own.err
    );
    let told: serde_json::Value =
        serde_json::from_str(&run(&["--all-namespaces", "-o", "json"]).out).unwrap();
    assert_eq!(
        (
            &told[2]["metadata"]["namespace"],
            &told[2]["metadata"]["name"],
            &told[2]["status"]["release"]
        ),
        (&json!("b"), &json!("x"), &json!("v1"))
    );
    assert_eq!(told[2]["kind"], "ChamberCluster");
    let list = |arguments: &[&str]| {
        with_variables(&[&["list"], arguments].concat(), &[("KUBECONFIG", &file)])
    };
    let table = list(&["-A", "-l", "team=payments"]);
    assert_eq!(table.status, 1, "{}", table.err);
    let lines: Vec<_> = table.out.lines().collect();
    assert_eq!(
        lines[0],
        "NAMESPACE  NAME  STEP     REASON  RELEASE  CHAMBERS  KEYS"
    );
    assert_eq!(
        lines[3],
        "b          x     Settled  -       v1       -         -"
    );
    let asked = server.seen().pop().unwrap();
    assert!(asked.contains("labelSelector=team%3Dpayments"), "{asked}");
    let told = list(&["-o", "json"]);
    assert_eq!(told.status, 0, "{}", told.err);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told[0]["metadata"]["name"], "signer");
    assert_eq!(told[0]["apiVersion"], "chamber.dev/v1alpha1");
    assert_eq!(list(&["-n", "none"]).out, "no ChamberCluster\n");
    let none = run(&["-n", "none"]);
    assert_eq!(
        (none.status, none.out.as_str()),
        (0, "no ChamberCluster\n"),
        "{}",
        none.err
    );
    for wrong in [&["signer", "-A"][..], &["-A", "--watch"], &["--watch"]] {
        assert_eq!(run(wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn whoever_waits_is_told_how_it_ended() {
    let one = |name: &str, complete: &str, stalled: &str| {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": name, "namespace": "chambers", "generation": 1, "resourceVersion": "1"},
            "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "a"}},
                "keys": {"threshold": 1, "shares": []}, "verification": {"prometheus": {"url": "http://p"}}},
            "status": {"step": "Settled", "release": "v1", "rollovers": 1, "verbs": {}, "observedGeneration": 1,
                "conditions": [condition("RolloverComplete", complete), condition("Stalled", stalled)]}})
    };
    let server = ApiServer::start_with(move |path| {
        let found = [
            one("settled", "True", "False"),
            one("stalled", "False", "True"),
            one("moving", "False", "False"),
        ];
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let named = |object: &&serde_json::Value| {
            let name = object["metadata"]["name"].as_str().unwrap();
            path.ends_with(&format!("/{name}")) || query.contains(name)
        };
        let object = found.iter().find(named)?.clone();
        if path.ends_with("/chamberclusters") {
            let metadata = json!({"resourceVersion": "1"});
            return Some(
                json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberClusterList", "metadata": metadata, "items": [object]}),
            );
        }
        Some(object)
    });
    let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
    let kubeconfig = Kubeconfig::of("wait", &[("one", cluster)]);
    let file = kubeconfig.file();
    let run =
        |name: &str| with_variables(&["wait", name, "--timeout", "1s"], &[("KUBECONFIG", &file)]);
    let settled = run("settled");
    assert_eq!(settled.status, 0, "{}{}", settled.out, settled.err);
    assert!(
        settled.out.starts_with("settled  settled on v1"),
        "{}",
        settled.out
    );
    let stalled = run("stalled");
    assert_eq!(stalled.status, 1, "{}", stalled.err);
    assert!(
        !stalled.out.contains("not settled after"),
        "{}",
        stalled.out
    );
    let moving = run("moving");
    assert_eq!(moving.status, 1, "{}", moving.err);
    assert!(
        moving.out.contains("not settled after 1s"),
        "{}",
        moving.out
    );
    let absent = run("absent");
    assert_eq!(absent.status, 2, "{}", absent.out);
}
