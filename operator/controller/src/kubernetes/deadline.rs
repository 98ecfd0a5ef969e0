//! Every answer of the API server has a deadline, its body included. Watches need a client without one.

use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tower::BoxError;

/// What one call may take, repetitions by the client included.
const CALL: Duration = Duration::from_secs(15);

/// No answer came in time; whether the call was carried out is not known.
#[derive(Debug, thiserror::Error)]
#[error("no answer to {method} {path} within {} s", CALL.as_secs())]
pub struct NoAnswer {
    method: Method,
    path: String,
}

/// The same client for calls, which end at a deadline; not for watches, which do not end.
pub fn calling(client: &Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let client = client.clone();
    let service = tower::service_fn(move |request| call(client.clone(), request));
    Client::new(service, namespace)
}

async fn call(client: Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let late = NoAnswer {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
    };
    let answer = async {
        let (head, body) = client.send(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok::<_, kube::Error>(Response::from_parts(head, Body::from(bytes)))
    };
    match tokio::time::timeout(CALL, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(late.into()),
    }
}
