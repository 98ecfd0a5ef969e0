//! The HTTP server of metrics and health pages: bounded in connections, in time, and in what it reads.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

/// Connections at a time.
const MAX_CONNECTIONS: usize = 128;
/// Of one address: a flood from one pod leaves places for the kubelet, Prometheus and the operator.
const MAX_OF_ONE: usize = 16;
/// From the connection, or the last answer, until the next request's header is there.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// A request's body, and its answer: the enclave takes five seconds at most.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Then it ends after the answer that is under way, for which it has [`REQUEST_TIME`].
const CONNECTION_TIME: Duration = Duration::from_mins(5);
/// Line and headers of one request.
const MAX_HEADER: usize = 16 * 1024;
/// After an error of accept, which can be a lack of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever.
pub async fn serve(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let callers = Arc::new(Callers::default());
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection to the pages");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Some(caller) = callers.enter(address.ip()) else {
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            connection(stream, router).await;
            drop((caller, place));
        });
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = router.clone().oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(in_time(answer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // What went wrong is the caller's affair.
    if timeout(CONNECTION_TIME, &mut connection).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(REQUEST_TIME, connection).await;
    }
}

async fn in_time(answer: impl Future<Output = Result<Response, Infallible>>) -> Response {
    match timeout(REQUEST_TIME, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    }
}

/// How many connections each address has.
#[derive(Default)]
struct Callers(Mutex<HashMap<IpAddr, usize>>);

impl Callers {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Caller> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = callers.entry(address).or_default();
        if *count >= MAX_OF_ONE {
            return None;
        }
        *count += 1;
        let callers = Arc::clone(self);
        Some(Caller { callers, address })
    }
}

/// One connection of an address, while it lives.
struct Caller {
    callers: Arc<Callers>,
    address: IpAddr,
}

impl Drop for Caller {
    fn drop(&mut self) {
        let callers = self.callers.0.lock();
        let mut callers = callers.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = callers.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
