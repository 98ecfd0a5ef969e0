//! The chambers' metrics, as Prometheus has them.

use std::collections::BTreeMap;

use chamber_api::{ChamberCluster, Queries};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use prometheus_http_query::Client;
use rollover::{Metrics, PodMetrics};

use crate::context::Context;

/// Milliseconds that Prometheus may take for one query.
const TIMEOUT_MS: i64 = 5000;
/// Successful unseals of each pod since its start.
const UNSEALED: &str =
    r#"chamber_tee_unseal_total{status="success",namespace="$namespace",pod=~"$pods"}"#;
/// Rejected attestations of each pod within the window, without extrapolation.
const REJECTED: &str = r#"max_over_time(kms_attestation_rejected{namespace="$namespace",pod=~"$pods"}[$window]) - min_over_time(kms_attestation_rejected{namespace="$namespace",pod=~"$pods"}[$window])"#;

/// Asks Prometheus; an answer that is no answer makes everything unknown.
pub async fn read(ctx: &Context, cluster: &ChamberCluster, window: SignedDuration) -> Metrics {
    match ask(ctx, cluster, window).await {
        Ok(pods) => Metrics::Known { window, pods },
        Err(error) => Metrics::Unavailable(error.to_string()),
    }
}

/// Why Prometheus gave no answer.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{url} gives no answer to `{query}`: {}", chain(error))]
    Query {
        url: String,
        query: String,
        error: Box<prometheus_http_query::Error>,
    },
    #[error("{url} is no URL of a Prometheus server: {}", chain(error))]
    Url {
        url: String,
        error: Box<prometheus_http_query::Error>,
    },
    #[error("`{query}` gives {found} instead of one series a pod")]
    Shape { query: String, found: &'static str },
    #[error("`{query}` gives a series without the label `pod`, or two of pod {pod:?}")]
    Label { query: String, pod: String },
}

/// The whole chain of causes: the outermost one alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn ask(
    ctx: &Context,
    cluster: &ChamberCluster,
    window: SignedDuration,
) -> Result<BTreeMap<String, PodMetrics>, Error> {
    let verification = &cluster.spec.verification;
    let url = verification.prometheus.url.clone();
    let client = Client::from(ctx.http.clone(), &url).map_err(|error| Error::Url {
        url: url.clone(),
        error: Box::new(error),
    })?;
    let queries = presets(&verification.queries, cluster, window);
    let unsealed = query(&client, &url, &queries.unsealed).await?;
    let sampled = query(&client, &url, &format!("timestamp({})", queries.unsealed)).await?;
    let rejected = query(&client, &url, &queries.rejected).await?;
    let mut pods: BTreeMap<String, PodMetrics> = BTreeMap::new();
    for (pod, value) in unsealed {
        pods.entry(pod).or_default().unsealed = Some(value);
    }
    for (pod, value) in sampled {
        pods.entry(pod).or_default().sampled_at = seconds(value);
    }
    for (pod, value) in rejected {
        pods.entry(pod).or_default().rejected = Some(value);
    }
    Ok(pods)
}

struct Asked {
    unsealed: String,
    rejected: String,
}

fn presets(queries: &Queries, cluster: &ChamberCluster, window: SignedDuration) -> Asked {
    let namespace = cluster.namespace().unwrap_or_default();
    let pods = format!("{}-[0-9a-f]{{10}}-.+", cluster.name_any());
    let window = format!("{}s", window.as_secs().max(1));
    let fill = |query: &str| {
        query
            .replace("$namespace", &namespace)
            .replace("$pods", &pods)
            .replace("$window", &window)
    };
    Asked {
        unsealed: fill(queries.unsealed.as_deref().unwrap_or(UNSEALED)),
        rejected: fill(queries.rejected.as_deref().unwrap_or(REJECTED)),
    }
}

/// One value a pod. Values that are no numbers are left out: they are unknown.
async fn query(client: &Client, url: &str, query: &str) -> Result<Vec<(String, f64)>, Error> {
    let answer = client.query(query).timeout(TIMEOUT_MS).get().await;
    let answer = answer.map_err(|error| Error::Query {
        url: url.to_owned(),
        query: query.to_owned(),
        error: Box::new(error),
    })?;
    let Some(vector) = answer.data().as_vector() else {
        return Err(Error::Shape {
            query: query.to_owned(),
            found: "a scalar or a matrix",
        });
    };
    let mut values: Vec<(String, f64)> = Vec::new();
    for series in vector {
        let pod = series.metric().get("pod").cloned().unwrap_or_default();
        if pod.is_empty() || values.iter().any(|(seen, _)| *seen == pod) {
            return Err(Error::Label {
                query: query.to_owned(),
                pod,
            });
        }
        let value = series.sample().value();
        if value.is_finite() {
            values.push((pod, value));
        }
    }
    Ok(values)
}

fn seconds(value: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 fit, and `as` saturates"
    )]
    Timestamp::from_millisecond((value * 1000.0) as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_their_fraction() {
        assert_eq!(
            seconds(1_700_000_000.25).unwrap().as_millisecond(),
            1_700_000_000_250
        );
        assert_eq!(seconds(f64::MAX), None);
    }
}
