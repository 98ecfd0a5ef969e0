//! Stands in for Prometheus: answers the preset queries about the pods that are unsealed.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use axum::extract::{Query, State};
use axum::{Json, Router, routing};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::pods::Pods;

/// The server; it ends when this is dropped.
pub struct Prometheus {
    _server: JoinSet<()>,
    /// Where it answers.
    pub url: String,
    queries: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Shared {
    pods: Arc<Pods>,
    queries: Arc<AtomicU64>,
}

impl Prometheus {
    /// Over these pods.
    pub async fn start(pods: Arc<Pods>) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let queries = Arc::<AtomicU64>::default();
        let shared = Shared {
            pods,
            queries: queries.clone(),
        };
        let app = Router::new().route("/api/v1/query", routing::get(answer));
        let app = app.with_state(shared);
        let mut server = JoinSet::new();
        // It ends with this process.
        server.spawn(async move { drop(axum::serve(listener, app).await) });
        Ok(Self {
            _server: server,
            url,
            queries,
        })
    }

    /// Queries so far.
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::SeqCst)
    }
}

async fn answer(
    State(shared): State<Shared>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    shared.queries.fetch_add(1, Ordering::SeqCst);
    let query = asked.get("query").map(String::as_str).unwrap_or_default();
    let result = series(&shared.pods, query, Timestamp::now());
    Json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// The series of a preset query: of one cluster, or of several as `(?:a|b)`.
fn series(pods: &Pods, query: &str, now: Timestamp) -> Vec<Value> {
    let namespaces = between(query, "namespace=\"", "\"").or(between(query, "namespace=~\"", "\""));
    let names = between(query, "pod=~\"", "-[0-9a-f]").unwrap_or_default();
    let names = names.trim_start_matches("(?:").trim_end_matches(')');
    let offset = between(query, " offset ", "ms").and_then(|text| text.parse().ok());
    let offset = SignedDuration::from_millis(offset.unwrap_or_default());
    let then = now.checked_sub(offset).unwrap_or(now);
    let value = |since: Timestamp| match query {
        _ if !query.starts_with("timestamp(") => {
            let unsealed = query.starts_with("chamber_tee_unseal_total");
            Some(f64::from(u8::from(unsealed)))
        }
        // What was sampled when the window began.
        _ => (since <= then).then(|| then.as_duration().as_secs_f64()),
    };
    let namespaces = namespaces.unwrap_or_default().split('|');
    let starts = namespaces.flat_map(|namespace| {
        let names = names.split('|');
        names.map(move |name| (namespace, format!("{name}-")))
    });
    let found = starts.flat_map(|(namespace, start)| {
        let pods = pods.of(namespace, &start);
        pods.into_iter()
            .map(move |(pod, since)| (namespace, pod, since))
    });
    let each = found.filter_map(|(namespace, pod, since)| {
        let value = value(since)?.to_string();
        let labels = json!({"namespace": namespace, "pod": pod});
        Some(json!({"metric": labels, "value": [now.as_duration().as_secs_f64(), value]}))
    });
    each.collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split(end).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_told_of_once_it_was_unsealed_for_the_window() {
        let pods = Pods::default();
        let now = Timestamp::from_second(1000).unwrap();
        for (name, second) in [("a-0123456789-x", 990), ("a-0123456789-y", 999), ("b-0", 0)] {
            let since = Timestamp::from_second(second).unwrap();
            pods.unsealed(("n".into(), name.into()), since);
        }
        let select = r#"{namespace="n",pod=~"a-[0-9a-f]{10}-.+"}"#;
        let found = |query: String| {
            let series = series(&pods, &query, now);
            let text = |found: &Value| {
                let pod = found["metric"]["pod"].as_str().unwrap().to_owned();
                (pod, found["value"][1].as_str().unwrap().to_owned())
            };
            series.iter().map(text).collect::<Vec<_>>()
        };
        let both = |value: &str| {
            ["a-0123456789-x", "a-0123456789-y"].map(|name| (name.to_owned(), value.to_owned()))
        };
        assert_eq!(
            found(format!("chamber_tee_unseal_total{select}")),
            both("1")
        );
        assert_eq!(
            found(format!("kms_attestation_rejected{select} - 1")),
            both("0")
        );
        assert_eq!(found(format!("timestamp(x{select})")), both("1000"));
        let many = r#"{namespace=~"m|n",pod=~"(?:a|c)-[0-9a-f]{10}-.+"}"#;
        assert_eq!(found(format!("timestamp(x{many})")), both("1000"));
        let before = found(format!("timestamp(x{select} offset 5000ms) and x"));
        assert_eq!(before, [("a-0123456789-x".to_owned(), "995".to_owned())]);
    }
}
