//! The SDK's HTTP client over a connector of ours: the SDK's own takes none.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connector::{Connector, Parent};

/// Shorter than AWS keeps a silent connection, so that none is used that is being closed.
const KEEP: Duration = Duration::from_secs(15);

/// A client that keeps its connections by endpoint.
pub fn http_client<P: Parent>(connector: Connector<P>) -> SharedHttpClient {
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP)
        .build(connector);
    // The time for a call is the SDK's, which gives up the future.
    http_client_fn(move |_, _| SharedHttpConnector::new(OverRelay(client.clone())))
}

struct OverRelay<P>(Client<Connector<P>, SdkBody>);

impl<P> fmt::Debug for OverRelay<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OverRelay")
    }
}

impl<P: Parent> HttpConnector for OverRelay<P> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            let answer = answer.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
