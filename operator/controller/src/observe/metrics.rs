//! The chambers' metrics, as Prometheus has them.

mod queries;

use std::collections::BTreeMap;

use chamber_api::ChamberCluster;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use rollover::{Metrics, PodMetrics};

use crate::context::Context;
use crate::prometheus::{Error, Series, Session};
use queries::Queries;

/// Asks Prometheus, when it is this cluster's turn; an answer that is no answer makes everything unknown.
pub async fn read(ctx: &Context, cluster: &ChamberCluster, window: SignedDuration) -> Metrics {
    let namespace = cluster.namespace().unwrap_or_default();
    let url = &cluster.spec.verification.prometheus.url;
    if let Err(error) = ctx.prometheus.check(&namespace, url) {
        return Metrics::Unavailable(error.to_string());
    }
    let wait = ctx.prometheus.turn(url, &cluster.uid().unwrap_or_default());
    if !wait.is_zero() {
        let until = ctx.clock.now().checked_add(wait);
        return Metrics::Deferred {
            until: until.unwrap_or(Timestamp::MAX),
        };
    }
    let asked = async {
        let secret = secret(ctx, cluster).await?;
        let session = ctx
            .prometheus
            .session(&namespace, url, secret.as_ref())
            .await?;
        ask(&session, &Queries::of(cluster, window)).await
    };
    match asked.await {
        Ok(pods) => Metrics::Known { window, pods },
        Err(error) => Metrics::Unavailable(error.to_string()),
    }
}

/// The Secret that the resource names: fetched by its name, never listed.
async fn secret(ctx: &Context, cluster: &ChamberCluster) -> Result<Option<Secret>, Error> {
    let Some(name) = &cluster.spec.verification.prometheus.credentials_secret else {
        return Ok(None);
    };
    let namespace = cluster.namespace().unwrap_or_default();
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &namespace);
    let why = match secrets.get_opt(name).await {
        Ok(Some(secret)) => return Ok(Some(secret)),
        Ok(None) => "is not there".to_owned(),
        Err(kube::Error::Api(status)) => format!("cannot be read ({})", status.code),
        Err(_) => "cannot be read".to_owned(),
    };
    Err(Error::credentials(format!(
        "Secret {name} {why}: correct spec.verification.prometheus.credentialsSecret, or make it"
    )))
}

/// All questions at once. One that fails makes all of them unknown.
async fn ask(session: &Session, queries: &Queries) -> Result<BTreeMap<String, PodMetrics>, Error> {
    let opened = async {
        match &queries.opened {
            Some(query) => session.query(query).await,
            None => Ok(Vec::new()),
        }
    };
    let (unsealed, sampled, before, rejected, opened) = futures::try_join!(
        session.query(&queries.unsealed),
        session.query(&queries.sampled),
        session.query(&queries.before),
        session.query(&queries.rejected),
        opened,
    )?;
    let mut pods: BTreeMap<String, PodMetrics> = BTreeMap::new();
    for (pod, value) in by_pod(&queries.unsealed, unsealed)? {
        pods.entry(pod).or_default().unsealed = Some(value);
    }
    for (pod, value) in by_pod(&queries.sampled, sampled)? {
        pods.entry(pod).or_default().sampled_at = seconds(value);
    }
    for (pod, value) in by_pod(&queries.before, before)? {
        pods.entry(pod).or_default().unsealed_before = seconds(value);
    }
    for (pod, value) in by_pod(&queries.rejected, rejected)? {
        pods.entry(pod).or_default().rejected = Some(value);
    }
    for (mut labels, value) in opened {
        let (pod, key) = (labels.remove("pod"), labels.remove("key"));
        if let (Some(pod), Some(key), Some(at)) = (pod, key, seconds(value)) {
            pods.entry(pod).or_default().opened.insert(key, at);
        }
    }
    Ok(pods)
}

/// One value a pod.
fn by_pod(query: &str, series: Vec<Series>) -> Result<BTreeMap<String, f64>, Error> {
    let mut values = BTreeMap::new();
    for (mut labels, value) in series {
        let pod = labels.remove("pod").unwrap_or_default();
        if pod.is_empty() || values.contains_key(&pod) {
            let query = query.to_owned();
            return Err(Error::Label { query, pod });
        }
        values.insert(pod, value);
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
    use axum::Router;
    use axum::extract::{Query, State};
    use serde_json::{Value, json};

    use super::*;
    use crate::prometheus::{Prometheus, Servers};

    /// A server that knows these answers, by query, and gives no series for any other.
    async fn server(answers: BTreeMap<&'static str, Value>) -> Session {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/tenant", listener.local_addr().unwrap());
        let answer = |State(answers): State<BTreeMap<&'static str, Value>>,
                      Query(asked): Query<BTreeMap<String, String>>| async move {
            let result = answers.get(&*asked["query"]).cloned();
            let result = result.unwrap_or_else(|| json!([]));
            axum::Json(
                json!({"status": "success", "data": {"resultType": "vector", "result": result}}),
            )
        };
        let app = Router::new().route("/tenant/api/v1/query", axum::routing::get(answer));
        let app = app.with_state(answers);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let servers = Prometheus::new(Servers::default(), None).unwrap();
        servers.session("ns", &url, None).await.unwrap()
    }

    fn queries() -> Queries {
        Queries {
            unsealed: "unsealed".into(),
            sampled: "sampled".into(),
            before: "before".into(),
            rejected: "rejected".into(),
            opened: Some("opened".into()),
        }
    }

    fn series(labels: &Value, value: &str) -> Value {
        json!({"metric": labels, "value": [1_700_000_000.0, value]})
    }

    #[tokio::test]
    async fn each_answer_goes_to_its_pod_and_an_absent_one_stays_unknown() {
        let (a, b) = (json!({"pod": "a"}), json!({"pod": "b"}));
        let key = json!({"pod": "a", "key": "arn:k"});
        let session = server(BTreeMap::from([
            ("unsealed", json!([series(&a, "1"), series(&b, "0")])),
            ("sampled", json!([series(&a, "100.5")])),
            ("before", json!([series(&a, "90")])),
            ("rejected", json!([series(&b, "3"), series(&a, "NaN")])),
            ("opened", json!([series(&key, "100.5")])),
        ]));
        let pods = ask(&session.await, &queries()).await.unwrap();
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let expected = PodMetrics {
            unsealed: Some(1.0),
            sampled_at: Some(at(100_500)),
            unsealed_before: Some(at(90_000)),
            rejected: None,
            opened: BTreeMap::from([("arn:k".to_owned(), at(100_500))]),
        };
        assert_eq!(pods["a"], expected);
        let expected = PodMetrics {
            unsealed: Some(0.0),
            rejected: Some(3.0),
            ..PodMetrics::default()
        };
        assert_eq!(pods["b"], expected);
    }

    #[tokio::test]
    async fn series_that_cannot_be_told_apart_make_all_unknown() {
        let twice = json!([
            series(&json!({"pod": "a"}), "1"),
            series(&json!({"pod": "a", "job": "b"}), "1")
        ]);
        for (answer, pod) in [(twice, "a"), (json!([series(&json!({}), "1")]), "")] {
            let session = server(BTreeMap::from([("rejected", answer)])).await;
            let error = ask(&session, &queries()).await.unwrap_err();
            let words =
                format!("`rejected` gives a series without the label `pod`, or two of pod {pod:?}");
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn seconds_keep_their_fraction() {
        assert_eq!(
            seconds(1_700_000_000.25).unwrap().as_millisecond(),
            1_700_000_000_250
        );
        assert_eq!(seconds(f64::MAX), None);
    }
}
