use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::telemetry::{Asked, Ended, Telemetry};

fn cluster(name: &str, status: &Value) -> ChamberCluster {
    let share = |name: &str| json!({"name": name, "arn": format!("arn:aws:kms:eu-west-1:111122223333:key/{name}"), "management": "Observed"});
    let object = json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"clusterId": "c", "chambers": {"replicas": 3}, "release": {"image": "i", "measurement": {"imageSha384": "01".repeat(48)}},
            "keys": {"threshold": 1, "shares": [share("a"), share("b")]},
            "verification": {"prometheus": {"url": "http://p"}}},
        "status": status});
    serde_json::from_value(object).unwrap()
}

fn blocked() -> ChamberCluster {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let key = |name: &str, in_sync: bool| json!({"name": name, "arn": name, "state": "Enabled", "inSync": in_sync});
    let release = |byte: &str| json!({"image": "i", "measurement": {"imageSha384": byte.repeat(48)}, "revision": byte});
    cluster(
        "signer",
        &json!({"step": "Roll", "reason": "ChamberSealed", "rollovers": 2, "verbs": {},
            "readyReplicas": 2, "updatedReplicas": 1, "keys": [key("a", true), key("b", false)],
            "conditions": [condition("Ready", "True"), condition("Stalled", "True"), condition("KeyAtRisk", "Unknown")],
            "rollover": {"to": release("02"), "startedAt": "2026-01-01T00:00:00Z", "progressedAt": "2026-01-01T00:01:00Z"},
            "history": [{"to": "02", "startedAt": "2025-12-02T00:00:00Z", "endedAt": "2025-12-02T00:02:00Z", "outcome": "Failed"},
                {"to": "01", "startedAt": "2025-12-01T00:00:00Z", "endedAt": "2025-12-01T00:05:00Z", "outcome": "Complete"}]}),
    )
}

/// The lines of one metric.
fn lines(telemetry: &Telemetry, metric: &str) -> Vec<String> {
    let text = telemetry.exposition().unwrap();
    let start = format!("chamber_operator_{metric}{{");
    let lines = text.lines().filter(|line| line.starts_with(&start));
    lines.map(|line| line[start.len()..].to_owned()).collect()
}

#[test]
fn a_blocked_cluster_is_there_without_a_turn_and_gone_with_the_resource() {
    let telemetry = Telemetry::default();
    assert_eq!(lines(&telemetry, "step"), Vec::<String>::new(), "a standby");
    let (store, mut writer) = reflector::store();
    telemetry.watch(vec![store]);
    writer.apply_watcher_event(&Event::Apply(blocked()));
    let of = "namespace=\"n\",name=\"signer\"";
    let step = format!("{of},step=\"Roll\",reason=\"ChamberSealed\"}} 1");
    assert_eq!(lines(&telemetry, "step"), [step]);
    let condition = |kind: &str, value: u8| format!("{of},type=\"{kind}\"}} {value}");
    let conditions = [("Ready", 1), ("Stalled", 1), ("KeyAtRisk", 0)];
    let conditions = conditions.map(|(kind, value)| condition(kind, value));
    assert_eq!(lines(&telemetry, "condition"), conditions);
    let state = |state: &str, count: u8| format!("{of},state=\"{state}\"}} {count}");
    let chambers = [
        state("wanted", 3),
        state("unsealed", 2),
        state("updated", 1),
    ];
    assert_eq!(lines(&telemetry, "chambers"), chambers);
    assert_eq!(
        lines(&telemetry, "keys"),
        [state("all", 2), state("in_sync", 1)]
    );
    let started = format!("{of}}} 1767225600");
    assert_eq!(
        lines(&telemetry, "rollover_started_timestamp_seconds"),
        [started]
    );
    let progressed = format!("{of}}} 1767225660");
    assert_eq!(
        lines(&telemetry, "rollover_progressed_timestamp_seconds"),
        [progressed]
    );
    let target = format!("{of},role=\"target\",revision=\"02\",image=\"0202020202\"}} 1");
    assert_eq!(lines(&telemetry, "release"), [target]);
    let succeeded = format!("{of}}} 1764547500");
    assert_eq!(
        lines(&telemetry, "last_success_timestamp_seconds"),
        [succeeded]
    );
    let lasted = format!("{of},outcome=\"Failed\"}} 120");
    assert_eq!(lines(&telemetry, "last_rollover_seconds"), [lasted]);
    writer.apply_watcher_event(&Event::Delete(blocked()));
    assert_eq!(lines(&telemetry, "step"), Vec::<String>::new());
}

#[test]
fn a_cluster_that_was_not_looked_at_yet_has_what_its_spec_says() {
    let telemetry = Telemetry::default();
    let (store, mut writer) = reflector::store();
    telemetry.watch(vec![store]);
    writer.apply_watcher_event(&Event::Apply(cluster("new", &Value::Null)));
    assert_eq!(lines(&telemetry, "step"), Vec::<String>::new());
    assert_eq!(lines(&telemetry, "chambers").len(), 3);
}

/// docs/metrics.md lists what is exposed, and nothing else: `BLESS=1 cargo test -p chamber-operator` writes its table.
#[test]
fn the_page_lists_every_metric() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let telemetry = Telemetry::default();
    let (store, mut writer) = reflector::store();
    telemetry.watch(vec![store]);
    writer.apply_watcher_event(&Event::Apply(blocked()));
    // A metric with labels is there once it has a value.
    telemetry.action(
        &rollover::Action::AddFinalizer,
        true,
        std::time::Duration::ZERO,
    );
    telemetry.key_read(true);
    telemetry.policy_written(true);
    telemetry.reconciled(true, std::time::Duration::ZERO);
    telemetry.law_broken(1);
    let (calls, took) = (telemetry.calls(), std::time::Duration::ZERO);
    let asked = Asked {
        verb: "get",
        resource: "pods".to_owned(),
    };
    calls.kubernetes(&asked, Some(200), took);
    calls.aws("kms:GetKeyPolicy", Ended::Done, took);
    every_query_finds_its_series(&telemetry.exposition().unwrap());
    let text = telemetry.exposition().unwrap();
    let mut table = String::from("| metric | type | what |\n| --- | --- | --- |\n");
    for line in text.lines() {
        let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        let kind = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")));
        let kind = kind.unwrap();
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let help = help.trim_end_matches('.');
        table.extend([
            "| `", name, suffix, "` | ", kind, " | ", help, " |
",
        ]);
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once("<!-- metrics -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end -->").unwrap();
    if std::env::var_os("BLESS").is_some() {
        let page = format!("{before}<!-- metrics -->\n{table}<!-- end -->{after}");
        std::fs::write(PAGE, page).unwrap();
        return;
    }
    assert_eq!(found, table);
}

/// Of the dashboard and of the alerts: each metric of ours is exposed, with the labels that the query asks for.
fn every_query_finds_its_series(exposed: &str) {
    const FILES: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../charts/chamber-operator/files"
    );
    let mut checked = 0;
    for file in ["dashboard.json", "alerts.yaml"] {
        let text = std::fs::read_to_string(format!("{FILES}/{file}")).unwrap();
        for rest in text.split("chamber_operator_").skip(1) {
            let is_name = |found: char| found.is_ascii_lowercase() || found == '_';
            let end = rest.find(|found| !is_name(found)).unwrap();
            let (metric, behind) = rest.split_at(end);
            let start = format!("chamber_operator_{metric}");
            let mut lines = exposed.lines().filter(|line| {
                let line = line.strip_prefix(&start);
                line.is_some_and(|line| line.starts_with([' ', '{']))
            });
            let series = lines.next();
            let series = series.unwrap_or_else(|| panic!("{file}: {start} is not exposed"));
            let matchers = behind
                .strip_prefix('{')
                .and_then(|behind| behind.split_once('}'));
            for matcher in matchers.map_or("", |(matchers, _)| matchers).split(',') {
                let label = matcher.trim().split(['=', '!']).next().unwrap();
                let told = label.is_empty() || series.contains(&format!("{label}=\""));
                assert!(told, "{file}: {start} has no label {label}: {series}");
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked} selectors were found");
}
