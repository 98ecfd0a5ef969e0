//! A document of a chamber, asked for through the API server: it needs `get` of the pod and `create` of `pods/proxy`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_api::names;
use chamber_resource::pod::host_port;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::json;

use super::failed;
use crate::output::Failure;

/// Of a host that has no such path.
const UNKNOWN: &str =
    "its host does not know /attestation: it was built before there were attestation documents";

#[derive(Deserialize)]
struct Attested {
    document: String,
}

/// The document that the pod's enclave makes for this nonce (16 to 64 bytes).
pub async fn document(client: &Client, pod: &str, nonce: &[u8]) -> Result<Vec<u8>, Failure> {
    let refused = |why: &dyn std::fmt::Display| Failure::Cluster(format!("pod {pod}: {why}"));
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let found = pods
        .get(pod)
        .await
        .map_err(|why| failed(&format!("pod {pod}"), &why))?;
    let port = host_port(&found).ok_or_else(|| {
        refused(&format!(
            "container {} has no port named {}: it is no chamber",
            names::ENCLAVE_CONTAINER,
            names::METRICS_PORT
        ))
    })?;
    let namespace = client.default_namespace();
    let path = format!("/api/v1/namespaces/{namespace}/pods/http:{pod}:{port}/proxy/attestation");
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(
            json!({"nonce": hex::encode(nonce)})
                .to_string()
                .into_bytes(),
        )
        .map_err(|why| refused(&why))?;
    let asked = client.request_text(request).await;
    let text = asked.map_err(|why| match why {
        // The pod is there: its host says so, with no word more.
        kube::Error::Api(status) if status.code == 404 => refused(&UNKNOWN),
        why => failed(&format!("pod {pod}"), &why),
    })?;
    let answer: Attested = serde_json::from_str(&text).map_err(|_| refused(&UNKNOWN))?;
    BASE64
        .decode(answer.document)
        .map_err(|why| refused(&format!("its document is not base64: {why}")))
}
