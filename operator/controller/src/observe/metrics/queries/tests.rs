//! The queries, evaluated by Prometheus' own promtool where it is installed.

use std::process::Command;

use serde_json::{Value, json};

use super::*;

const EXAMPLE: &str = include_str!("../../../../../../docs/examples/chambercluster-external.yaml");
const POD: &str = "validator-0123456789-a";

/// The documented example, with its own queries or with the presets.
fn cluster(own: bool) -> ChamberCluster {
    let mut value: Value = serde_yaml_ng::from_str(EXAMPLE).unwrap();
    if !own {
        value["spec"]["verification"]["queries"] = json!({});
        value["spec"]["sealing"] = json!("Managed");
    }
    serde_json::from_value(value).unwrap()
}

fn queries(own: bool) -> Queries {
    Queries::of(&cluster(own), SignedDuration::from_mins(2))
}

#[test]
fn the_documented_example_is_a_spec_that_is_accepted() {
    let drift = SignedDuration::from_mins(10);
    let spec = chamber_resource::spec::checked(
        &cluster(true),
        &chamber_resource::spec::Uids::default(),
        drift,
    );
    assert!(spec.is_ok(), "{spec:?}");
}

#[test]
fn placeholders_are_filled_in() {
    for own in [true, false] {
        let queries = queries(own);
        for query in [&queries.unsealed, &queries.before, &queries.rejected] {
            assert!(!query.contains('$'), "{query}");
            assert!(query.contains(r#"namespace="chambers""#), "{query}");
        }
        assert_eq!(queries.opened.is_some(), !own);
    }
}

#[test]
fn without_a_soak_time_the_sample_of_now_is_enough() {
    let before = |window| Queries::of(&cluster(true), window).before;
    assert!(before(SignedDuration::ZERO).contains("} offset 1ms)"));
    assert!(before(SignedDuration::from_millis(1500)).contains("} offset 1500ms)"));
}

/// One series, scraped every 15 s from the pod's start.
fn series(name: &str, labels: &str, values: &str) -> Value {
    json!({"series": format!("{name}{{namespace=\"chambers\",pod=\"{POD}\"{labels}}}"), "values": values})
}

/// What a query gives at a time; `None`: nothing.
fn expect(query: &str, at: &str, labels: &str, value: Option<f64>) -> Value {
    let samples: Vec<Value> = value
        .map(|value| json!({"labels": format!("{{{labels}pod=\"{POD}\"}}"), "value": value}))
        .into_iter()
        .collect();
    json!({"expr": query, "eval_time": at, "exp_samples": samples})
}

/// Runs promtool; without it the test says so, and fails where `SKIP_NOTHING` is set, as `make test` does.
fn promtool(name: &str, series: &[Value], expected: &[Value]) {
    let rules = json!({"evaluation_interval": "15s", "tests": [
        {"interval": "15s", "input_series": series, "promql_expr_test": expected}
    ]});
    let file = std::env::temp_dir().join(format!("{name}-{}.yaml", std::process::id()));
    std::fs::write(&file, rules.to_string()).unwrap();
    let output = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&file)
        .output();
    std::fs::remove_file(&file).unwrap();
    match output {
        Ok(output) => assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => {
            let missing = format!("promtool (Debian's package prometheus): {error}");
            assert!(std::env::var_os("SKIP_NOTHING").is_none(), "{missing}");
            eprintln!("skipped: {missing}");
        }
    }
}

#[test]
fn a_counter_that_appears_with_the_first_rejection_counts_it_and_gives_0_before() {
    let Queries {
        rejected, unsealed, ..
    } = queries(true);
    let expected = [
        expect(&rejected, "2m", "", Some(0.0)),
        expect(&rejected, "3m", "", Some(1.0)),
        expect(&rejected, "4m", "", Some(1.0)),
        // Two minutes later the window holds no rejection any more.
        expect(&rejected, "5m", "", Some(0.0)),
        expect(&rejected, "9m", "", Some(2.0)),
        // The pod is not scraped any more, and Prometheus looks back for five minutes.
        expect(&rejected, "30m", "", None),
        expect(
            &format!("timestamp({unsealed})"),
            "12m",
            "namespace=\"chambers\",",
            Some(600.0),
        ),
    ];
    let series = [
        series("attestation_rejected_total", "", "_x11 1x20 3x7"),
        series("unseal_success_total", "", "1x40"),
    ];
    promtool("first-rejection", &series, &expected);
}

#[test]
fn the_presets_count_from_the_start_of_the_process_and_not_from_the_first_scrape() {
    let Queries {
        rejected,
        before,
        opened,
        ..
    } = queries(false);
    let (opened, labels) = (opened.unwrap(), "namespace=\"chambers\",");
    let success = "namespace=\"chambers\",status=\"success\",";
    let key = "key=\"k\",namespace=\"chambers\",result=\"opened\",";
    let now = Queries::of(&cluster(false), SignedDuration::ZERO).before;
    let expected = [
        expect(&now, "30s", success, None),
        expect(&now, "46s", success, Some(45.0)),
        // The first scrape shows two rejections already.
        expect(&rejected, "1m", labels, Some(2.0)),
        expect(&rejected, "3m", labels, Some(0.0)),
        // The process began anew between two scrapes: its one rejection is its own.
        expect(&rejected, "6m", labels, Some(1.0)),
        // Unsealed since the third scrape: not yet two minutes ago, then it was.
        expect(&before, "2m15s", success, None),
        expect(&before, "2m45s", success, Some(45.0)),
        expect(&opened, "2m", key, Some(120.0)),
    ];
    let rejections = "2x19 1x20";
    let series = [
        series("kms_attestation_rejected", "", rejections),
        series(
            "chamber_tee_unseal_total",
            ",status=\"success\"",
            "0x2 1x40",
        ),
        series(
            "chamber_tee_share_total",
            ",key=\"k\",result=\"opened\"",
            "_ 1x40",
        ),
        series(
            "chamber_tee_share_total",
            ",key=\"l\",result=\"denied\"",
            "1x40",
        ),
    ];
    promtool("presets", &series, &expected);
}
