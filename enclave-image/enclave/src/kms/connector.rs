//! Connections for hyper's client: relay, CONNECT, TLS.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::relay;
use super::stream::Secured;
use crate::chunked::Chunked;

/// How long each step may take. The whole call has less time than all of them together.
const STEP: Duration = Duration::from_secs(3);

/// Who carries bytes to KMS.
pub trait Parent: Clone + Send + Sync + 'static {
    /// A connection to the relay.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// Connects to the relay.
    fn relay(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Why there is no connection to an endpoint of KMS; one line, with what the host said, shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WayError {
    /// The URL is none that the SDK makes.
    #[error("{0}: not an https URL with a name and port 443")]
    Url(String),
    /// The host did not carry it.
    #[error("{name}: the host does not connect: {why}")]
    Host {
        /// Name of the endpoint.
        name: String,
        /// Its refusal, or what failed.
        why: String,
    },
    /// TLS failed: wrong certificate, or the way was cut.
    #[error("{name}: TLS: {why}")]
    Tls {
        /// Name of the endpoint.
        name: String,
        /// What failed.
        why: String,
    },
}

/// Makes connections for an HTTP client.
#[derive(Clone)]
pub struct Connector<P> {
    parent: P,
    tls: TlsConnector,
}

impl<P: Parent> Connector<P> {
    pub fn new(parent: P, tls: ClientConfig) -> Self {
        Self {
            parent,
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    async fn connect(self, url: Uri) -> Result<Secured<Chunked<P::Stream>>, WayError> {
        let name = endpoint(&url).ok_or_else(|| WayError::Url(url.to_string()))?;
        let host = |why| WayError::Host {
            name: name.to_owned(),
            why,
        };
        let stream = within(self.parent.relay()).await;
        let mut stream = Chunked(stream.map_err(|error| host(error.to_string()))?);
        let opened = within(async { Ok(relay::open(&mut stream, name).await) }).await;
        opened
            .map_err(|error| host(error.to_string()))?
            .map_err(host)?;
        let tls = |why| WayError::Tls {
            name: name.to_owned(),
            why,
        };
        let server = ServerName::try_from(name.to_owned());
        let server = server.map_err(|error| tls(error.to_string()))?;
        let secured = within(self.tls.connect(server, stream)).await;
        secured.map(Secured).map_err(|error| tls(error.to_string()))
    }
}

/// The host's name in a URL of an endpoint.
fn endpoint(url: &Uri) -> Option<&str> {
    let port = url.port_u16().unwrap_or(443);
    let fits = url.scheme() == Some(&Scheme::HTTPS) && port == 443;
    url.host().filter(|host| fits && !host.is_empty())
}

async fn within<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(STEP, step).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {STEP:?}"),
        )),
    }
}

type Connecting<S> = Pin<Box<dyn Future<Output = Result<TokioIo<Secured<S>>, WayError>> + Send>>;

impl<P: Parent> Service<Uri> for Connector<P> {
    type Response = TokioIo<Secured<Chunked<P::Stream>>>;
    type Error = WayError;
    type Future = Connecting<Chunked<P::Stream>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WayError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let own = self.clone();
        Box::pin(async move { own.connect(url).await.map(TokioIo::new) })
    }
}
