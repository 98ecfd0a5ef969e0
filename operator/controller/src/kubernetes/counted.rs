//! Each call to the API server is counted when its answer begins, or when nobody waits for it any more.

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;
use tower::BoxError;

use crate::telemetry::{Asked, Calls};

/// The same client, which counts its calls; those that it repeats by itself as one.
pub fn counted(client: &Client, calls: &Calls) -> Client {
    let namespace = client.default_namespace().to_owned();
    let (client, calls) = (client.clone(), calls.clone());
    let service = tower::service_fn(move |request| call(client.clone(), calls.clone(), request));
    Client::new(service, namespace)
}

async fn call(
    client: Client,
    calls: Calls,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let mut under_way = UnderWay {
        calls,
        asked: asked(request.method(), request.uri()),
        began: Instant::now(),
        status: None,
    };
    let answer = client.send(request).await?;
    under_way.status = Some(answer.status().as_u16());
    Ok(answer)
}

/// A call that is counted when this is dropped.
struct UnderWay {
    calls: Calls,
    asked: Asked,
    began: Instant,
    status: Option<u16>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.calls.kubernetes(&self.asked, self.status, took);
    }
}

/// Verb and resource, by the form that the API server's paths have. No names: there are as many as objects.
fn asked(method: &Method, uri: &http::Uri) -> Asked {
    let parts: Vec<&str> = uri
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let behind_the_version = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => &[],
    };
    let (resource, name, subresource) = match behind_the_version {
        ["namespaces", _, resource, rest @ ..] | [resource, rest @ ..] => {
            (*resource, rest.first(), rest.get(1))
        }
        [] => ("none", None, None),
    };
    let watches = || uri.query().is_some_and(|query| query.contains("watch="));
    let verb = match (method.as_str(), name) {
        ("GET", Some(_)) => "get",
        ("GET", None) if watches() => "watch",
        ("GET", None) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => "other",
    };
    let resource = match subresource {
        Some(subresource) => format!("{resource}/{subresource}"),
        None => resource.to_owned(),
    };
    Asked { verb, resource }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;

    use super::*;
    use crate::telemetry::Telemetry;

    fn told(method: &str, uri: &str) -> String {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let Asked { verb, resource } = asked(&method, &uri.parse().unwrap());
        format!("{verb} {resource}")
    }

    #[test]
    fn verb_and_resource_are_read_from_the_path_without_names() {
        let ours = "/apis/chamber.dev/v1alpha1/namespaces/prod/chamberclusters";
        let one = format!("{ours}/signer");
        let pods = "/api/v1/namespaces/prod/pods";
        for (method, uri, expected) in [
            ("GET", "/api/v1/namespaces/prod", "get namespaces"),
            ("GET", pods, "list pods"),
            (
                "GET",
                &format!("{pods}?labelSelector=a&watch=true"),
                "watch pods",
            ),
            ("GET", "/api/v1/pods?watch=true", "watch pods"),
            ("GET", "/api/v1/nodes/n1", "get nodes"),
            ("POST", pods, "create pods"),
            (
                "POST",
                &format!("{pods}/a/eviction"),
                "create pods/eviction",
            ),
            (
                "PATCH",
                &format!("{one}/status?force=true"),
                "patch chamberclusters/status",
            ),
            ("PUT", &one, "update chamberclusters"),
            ("DELETE", &one, "delete chamberclusters"),
            ("DELETE", ours, "deletecollection chamberclusters"),
            ("GET", "/version", "list none"),
        ] {
            assert_eq!(told(method, uri), expected, "{method} {uri}");
        }
    }

    /// A service in place of the API server.
    fn client(status: Option<u16>, calls: &Calls) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| async move {
            let Some(status) = status else {
                return std::future::pending().await;
            };
            let body = Body::from(b"{}".to_vec());
            Response::builder()
                .status(status)
                .body(body)
                .map_err(BoxError::from)
        });
        counted(&Client::new(service, "default"), calls)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_counted_by_its_status_and_where_nobody_waits_for_it_any_more_without_one() {
        let telemetry = Telemetry::default();
        let pods = |status| Api::<Pod>::default_namespaced(client(status, &telemetry.calls()));
        pods(Some(429)).get("a").await.unwrap_err();
        let patience = std::time::Duration::from_secs(4);
        let late = tokio::time::timeout(patience, async { pods(None).get("a").await });
        late.await.unwrap_err();
        let text = telemetry.exposition().unwrap();
        for line in [
            "kubernetes_calls_total{verb=\"get\",resource=\"pods\",code=\"429\"} 1",
            "kubernetes_calls_total{verb=\"get\",resource=\"pods\",code=\"none\"} 1",
            "kubernetes_call_seconds_sum{verb=\"get\",resource=\"pods\"} 4.0",
        ] {
            assert!(
                text.contains(&format!("chamber_operator_{line}\n")),
                "{line}: {text}"
            );
        }
    }
}
