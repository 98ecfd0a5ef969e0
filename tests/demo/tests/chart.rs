//! The chart renders, refuses what it must, and asks for no right that it does not need.
//!
//! `HELM` names the helm program; `make test` sets it, and `SKIP_NOTHING`, which demands it. Without both only the test of the
//! CRD's copy runs.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of a test may end the test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Value sets that must render.
const SETS: [&str; 6] = [
    "",
    "watchNamespaces: [payments, ledger]",
    "replicas: 2\npriorityClassName: system-cluster-critical\nmetrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}, podMonitor: {enabled: true, labels: {release: prometheus}}, prometheusRule: {enabled: true, labels: {release: prometheus}, runbookUrl: 'https://wiki.example.com/runbook'}, dashboard: {enabled: true, labels: {grafana_dashboard: '1', team: signing}}}",
    "crds: {install: false}\naws: {region: eu-central-1, endpointUrl: 'http://kms:1', credentialsSecret: keys}\nextraEnv: [{name: A, value: b}]",
    "podSecurityContext: {runAsUser: null, runAsGroup: null}\nmetrics: {address: '[::]'}\nstrategy: {type: Recreate}\nextraArgs: [--log=debug]\nextraVolumes: [{name: ca, configMap: {name: ca}}]\nextraVolumeMounts: [{name: ca, mountPath: /ca}]\npodDisruptionBudget: {enabled: true}\nnetworkPolicy: {enabled: true, from: [{namespaceSelector: {}}]}\nprometheus: {proxySecret: '', servers: [{namespaces: ['*'], urls: ['https://m'], credentialsSecret: mimir}]}",
    "prometheus: {proxySecret: proxy, servers: [{namespaces: ['prod-*'], urls: ['https://mimir/p'], credentialsSecret: mimir}, {namespaces: ['*'], urls: ['http://p:9090']}]}",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn helm_program() -> Option<std::ffi::OsString> {
    let program = std::env::var_os("HELM");
    if program.is_none() {
        let demanded = std::env::var_os("SKIP_NOTHING").is_some();
        assert!(!demanded, "HELM names no helm program");
        eprintln!("skipped: HELM names no helm program");
    }
    program
}

fn helm(arguments: &[&str], values: &str) -> Option<Output> {
    let program = helm_program()?;
    let file = tempfile(values);
    let output = Command::new(program)
        .args(arguments)
        .arg(repository().join("charts/chamber-operator"))
        .arg("--values")
        .arg(&file)
        .output()
        .expect("helm starts");
    std::fs::remove_file(file).expect("values file");
    Some(output)
}

/// A values file of this test process alone.
fn tempfile(values: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "chart-values-{}-{}.yaml",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, values).expect("values file");
    path
}

fn render(values: &str) -> Option<Vec<Value>> {
    let arguments = ["template", "operator", "--namespace", "ops"];
    let output = helm(&arguments, values)?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(demo::kubernetes::documents(&text).expect("YAML"))
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects
        .iter()
        .filter(|object| object["kind"] == kind)
        .collect()
}

/// The test of the dashboard's queries is in tests/alerts.
#[test]
fn the_dashboard_is_a_config_map_that_grafana_finds() {
    let Some(objects) = render(SETS[2]) else {
        return;
    };
    let [board] = of_kind(&objects, "ConfigMap")[..] else {
        panic!("one ConfigMap");
    };
    assert_eq!(board["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(board["metadata"]["labels"]["team"], "signing");
    let text = board["data"]["chambers.json"].as_str().expect("a file");
    let file = repository().join("charts/chamber-operator/files/dashboard.json");
    let file = std::fs::read_to_string(file).expect("the dashboard");
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(parsed(text), parsed(&file));
}

/// `OpenShift` chooses the user itself, other clusters have no IPv4, and people bring volumes of their own.
#[test]
fn what_clusters_differ_in_can_be_said() {
    let Some(objects) = render(SETS[4]) else {
        return;
    };
    let [deployment] = of_kind(&objects, "Deployment")[..] else {
        panic!("one Deployment");
    };
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(
        pod["securityContext"],
        json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}})
    );
    assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));
    let operator = &pod["containers"][0];
    assert_eq!(operator["args"], json!(["--log=debug"]));
    let names = |list: &Value| -> Vec<String> {
        let each = list.as_array().expect("a list").iter();
        each.map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&operator["volumeMounts"]), ["prometheus-0", "ca"]);
    assert_eq!(names(&pod["volumes"]), ["prometheus-0", "ca"]);
    let environment = operator["env"].as_array().expect("env").iter();
    let mut listens = environment.filter(|one| one["name"] == "CHAMBER_LISTEN");
    assert_eq!(listens.next().expect("an address")["value"], "[::]:8080");
    let [policy] = of_kind(&objects, "NetworkPolicy")[..] else {
        panic!("one NetworkPolicy");
    };
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
    assert_eq!(
        policy["spec"]["ingress"],
        json!([{"ports": [{"port": "metrics"}], "from": [{"namespaceSelector": {}}]}])
    );
    let [budget] = of_kind(&objects, "PodDisruptionBudget")[..] else {
        panic!("one PodDisruptionBudget");
    };
    assert_eq!(budget["spec"]["selector"], policy["spec"]["podSelector"]);
}

/// As cert-manager's users have it: a dependency with `condition: chamber-operator.enabled`.
#[test]
fn an_umbrella_chart_turns_it_on_and_off() {
    let Some(helm) = helm_program() else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("chart-umbrella-{}", std::process::id()));
    let chart = repository().join("charts/chamber-operator");
    let chart = chart.canonicalize().expect("the chart");
    std::fs::create_dir_all(&folder).expect("a folder");
    let dependency = format!(
        "apiVersion: v2\nname: platform\nversion: 0.1.0\ndependencies:\n  - name: chamber-operator\n    version: 0.1.0\n    repository: file://{}\n    condition: chamber-operator.enabled\n",
        chart.display()
    );
    std::fs::write(folder.join("Chart.yaml"), dependency).expect("a chart");
    let run = |arguments: &[&str]| {
        let output = Command::new(&helm)
            .args(arguments)
            .current_dir(&folder)
            .output();
        let output = output.expect("helm starts");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["dependency", "build", "."]);
    let values =
        |enabled: bool| format!("chamber-operator.enabled={enabled},global.imageRegistry=r");
    let on = run(&["template", "x", ".", "--set", &values(true)]);
    let off = run(&["template", "x", ".", "--set", &values(false)]);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    assert!(on.contains("kind: Deployment"), "{on}");
    assert!(!off.contains("kind:"), "{off}");
}

/// The test of docs/runbook.md's headings is in tests/alerts.
#[test]
fn alerts_are_a_rule_object_that_links_to_the_runbook() {
    let Some(objects) = render(SETS[2]) else {
        return;
    };
    let [rule] = of_kind(&objects, "PrometheusRule")[..] else {
        panic!("one PrometheusRule");
    };
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    let groups = rule["spec"]["groups"].as_array().expect("groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    for rule in rules {
        let link = rule["annotations"]["runbook_url"].as_str().expect("a link");
        let alert = rule["alert"].as_str().expect("a name").to_lowercase();
        assert_eq!(link, format!("https://wiki.example.com/runbook#{alert}"));
        // Braces of Prometheus are not Helm's.
        assert!(!rule.to_string().contains("<no value>"), "{rule}");
    }
    let text = rule.to_string();
    assert!(text.contains("{{ $labels.namespace }}"), "{text}");
}

/// The operator's series have the namespace of the resource that they are about, and the chambers' that of the pod.
#[test]
fn both_are_scraped_under_the_names_that_alerts_and_verify_ask_for() {
    let Some(objects) = render(SETS[2]) else {
        return;
    };
    let [operator] = of_kind(&objects, "ServiceMonitor")[..] else {
        panic!("one ServiceMonitor");
    };
    let [chambers] = of_kind(&objects, "PodMonitor")[..] else {
        panic!("one PodMonitor");
    };
    for monitor in [operator, chambers] {
        assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    }
    assert_eq!(operator["spec"]["endpoints"][0]["honorLabels"], true);
    let names = chamber_api::names::ROLE_LABEL;
    let spec = &chambers["spec"];
    assert_eq!(spec["selector"], json!({"matchLabels": {names: "chamber"}}));
    assert_eq!(spec["namespaceSelector"], json!({"any": true}));
    let [endpoint] = &spec["podMetricsEndpoints"].as_array().expect("endpoints")[..] else {
        panic!("one port");
    };
    assert_eq!(endpoint["port"], chamber_api::names::METRICS_PORT);
    assert_eq!(
        endpoint["honorLabels"],
        Value::Null,
        "a chamber does not say whose it is"
    );
    let some = format!("{}\nmetrics: {{podMonitor: {{enabled: true}}}}", SETS[1]);
    let some = render(&some).expect("helm");
    let [chambers] = of_kind(&some, "PodMonitor")[..] else {
        panic!("one PodMonitor");
    };
    assert_eq!(
        chambers["spec"]["namespaceSelector"],
        json!({"matchNames": ["payments", "ledger"]})
    );
}

/// Every rule with the name of its role.
fn rules(objects: &[Value]) -> Vec<(String, Value)> {
    let roles = objects
        .iter()
        .filter(|object| object["kind"] == "ClusterRole" || object["kind"] == "Role");
    roles
        .flat_map(|role| {
            let name = role["metadata"]["name"].as_str().expect("name").to_owned();
            let all = role["rules"].as_array().expect("rules").clone();
            all.into_iter().map(move |rule| (name.clone(), rule))
        })
        .collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

#[test]
fn the_charts_crd_is_the_generated_one() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect(path);
    let file = "chamberclusters.chamber.dev.yaml";
    let same =
        read(&format!("charts/chamber-operator/files/{file}")) == read(&format!("crds/{file}"));
    assert!(same, "copy crds/{file} to charts/chamber-operator/files/");
}

#[test]
fn lints() {
    for values in SETS {
        let Some(output) = helm(&["lint", "--strict"], values) else {
            return;
        };
        assert!(
            output.status.success(),
            "{values}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

#[test]
fn renders_the_crd_unchanged_and_keeps_it() {
    let Some(objects) = render("") else { return };
    let [crd] = of_kind(&objects, "CustomResourceDefinition")[..] else {
        panic!("one CRD is expected")
    };
    let file = repository().join("crds/chamberclusters.chamber.dev.yaml");
    let generated: Value =
        serde_yaml_ng::from_str(&std::fs::read_to_string(file).expect("crds/")).expect("YAML");
    let same = without_floats(&crd["spec"]) == without_floats(&generated["spec"]);
    assert!(same, "the rendered CRD differs from crds/");
    assert_eq!(
        crd["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );
    let without = render("crds: {install: false}").expect("helm");
    assert!(of_kind(&without, "CustomResourceDefinition").is_empty());
}

/// `100.0` and `100` are the same number in YAML, and different ones in `serde_json`.
fn without_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(without_floats).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), without_floats(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn asks_for_no_right_beyond_its_work() {
    for values in SETS {
        let Some(objects) = render(values) else {
            return;
        };
        for (role, rule) in rules(&objects) {
            for field in ["verbs", "resources", "apiGroups"] {
                assert!(
                    !texts(&rule[field]).contains(&"*"),
                    "{role}: wildcard in {field}"
                );
            }
            if texts(&rule["resources"]).contains(&"secrets") {
                assert_eq!(texts(&rule["verbs"]), ["get", "create"], "{role}");
            }
            assert!(
                !texts(&rule["verbs"]).iter().any(|verb| [
                    "escalate",
                    "bind",
                    "impersonate",
                    "deletecollection"
                ]
                .contains(verb)),
                "{role}: {rule}"
            );
        }
    }
}

#[test]
fn never_writes_the_spec() {
    for values in SETS {
        let Some(objects) = render(values) else {
            return;
        };
        for (role, rule) in rules(&objects) {
            if texts(&rule["resources"]).contains(&"chamberclusters") {
                // `patch` is for the finalizer alone: the admission policy refuses everything else.
                let allowed: &[&str] = if role.ends_with("-view") {
                    &["get", "list", "watch"]
                } else {
                    &["get", "list", "watch", "patch"]
                };
                assert_eq!(texts(&rule["verbs"]), allowed, "{role}");
            }
        }
        let account = &of_kind(&objects, "ServiceAccount")[0]["metadata"];
        let policy = of_kind(&objects, "ValidatingAdmissionPolicy")[0];
        let binding = of_kind(&objects, "ValidatingAdmissionPolicyBinding")[0];
        assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
        assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
        assert_eq!(policy["spec"]["failurePolicy"], "Fail");
        let who = policy["spec"]["matchConditions"][0]["expression"].as_str();
        let (namespace, name) = (&account["namespace"], &account["name"]);
        let user = format!(
            "system:serviceaccount:{}:{}",
            namespace.as_str().expect("namespace"),
            name.as_str().expect("name")
        );
        assert!(
            who.expect("expression").ends_with(&format!("\"{user}\"")),
            "{who:?}"
        );
        let rule = &policy["spec"]["validations"][0]["expression"];
        assert_eq!(rule, "object.spec == oldObject.spec");
    }
}

/// Where `OwnerReferencesPermissionEnforcement` is on, who names an owner that blocks its own deletion needs this right.
#[test]
fn owners_that_block_their_deletion_may_be_named() {
    for values in SETS {
        let Some(objects) = render(values) else {
            return;
        };
        let may = rules(&objects).into_iter().any(|(_, rule)| {
            texts(&rule["resources"]).contains(&"chamberclusters/finalizers")
                && texts(&rule["verbs"]).contains(&"update")
        });
        assert!(may, "{values}");
    }
}

#[test]
fn watched_namespaces_bound_the_cluster_role() {
    let Some(objects) = render("watchNamespaces: [payments, ledger]") else {
        return;
    };
    let cluster_wide: Vec<_> = of_kind(&objects, "ClusterRole")
        .into_iter()
        .filter(|role| {
            role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"].is_null()
        })
        .flat_map(|role| role["rules"].as_array().expect("rules").clone())
        .collect();
    assert_eq!(
        cluster_wide,
        [
            json!({"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system", "payments", "ledger"], "verbs": ["get"]}),
            json!({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]})
        ]
    );
    let namespaces: BTreeMap<_, _> = of_kind(&objects, "RoleBinding")
        .into_iter()
        .map(|binding| {
            (
                binding["metadata"]["namespace"]
                    .as_str()
                    .expect("namespace"),
                &binding["subjects"][0]["namespace"],
            )
        })
        .collect();
    assert_eq!(
        namespaces.into_iter().collect::<Vec<_>>(),
        [
            ("ledger", &json!("ops")),
            ("ops", &json!("ops")),
            ("payments", &json!("ops"))
        ]
    );
}

#[test]
fn the_pod_is_restricted() {
    let Some(objects) = render("") else { return };
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(
        container,
        &json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
}

#[test]
fn aws_settings_reach_the_operator() {
    let Some(objects) = render(SETS[3]) else {
        return;
    };
    let container =
        &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let variables: BTreeMap<_, _> = container["env"]
        .as_array()
        .expect("env")
        .iter()
        .map(|variable| {
            (
                variable["name"].as_str().expect("name"),
                variable["value"].as_str(),
            )
        })
        .collect();
    assert_eq!(variables["AWS_REGION"], Some("eu-central-1"));
    assert_eq!(variables["AWS_ENDPOINT_URL_KMS"], Some("http://kms:1"));
    assert_eq!(variables["AWS_ENDPOINT_URL_STS"], Some("http://kms:1"));
    assert_eq!(variables["A"], Some("b"));
    assert_eq!(
        container["envFrom"],
        json!([{"secretRef": {"name": "keys"}}])
    );
}

#[test]
fn prometheus_servers_reach_the_operator_and_their_secrets_are_mounted_not_granted() {
    let Some(objects) = render(SETS[5]) else {
        return;
    };
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let variables = container["env"].as_array().expect("env");
    let variable = |name: &str| variables.iter().find(|variable| variable["name"] == name);
    let servers = variable("CHAMBER_PROMETHEUS_SERVERS").expect("servers");
    let servers: Value =
        serde_json::from_str(servers["value"].as_str().expect("text")).expect("JSON");
    assert_eq!(
        servers,
        json!([
            {"namespaces": ["prod-*"], "urls": ["https://mimir/p"], "credentials": "/etc/chamber/prometheus/mimir"},
            {"namespaces": ["*"], "urls": ["http://p:9090"]}
        ])
    );
    let proxy = &variable("CHAMBER_PROMETHEUS_PROXY").expect("proxy")["valueFrom"];
    assert_eq!(
        proxy,
        &json!({"secretKeyRef": {"name": "proxy", "key": "url"}})
    );
    assert_eq!(
        container["volumeMounts"],
        json!([{"name": "prometheus-0", "mountPath": "/etc/chamber/prometheus/mimir", "readOnly": true}])
    );
    assert_eq!(
        pod["volumes"],
        json!([{"name": "prometheus-0", "secret": {"secretName": "mimir"}}])
    );
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let faults = [
        ("replica: 2", "replica"),
        ("aws: {endpoint: 'http://x'}", "endpoint"),
        (
            "prometheus: {servers: [{namespaces: [a], urls: ['http://me:pw@p']}]}",
            "urls",
        ),
        ("driftInterval: 10 minutes", "driftInterval"),
        ("watchNamespaces: [Not_A_Name]", "watchNamespaces"),
        ("metrics: {port: 80}", "port"),
        ("image: {repository: ''}", "repository"),
    ];
    for (values, field) in faults {
        let Some(output) = helm(&["template", "operator"], values) else {
            return;
        };
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{values} was accepted");
        assert!(message.contains(field), "{values}: {message}");
    }
}
