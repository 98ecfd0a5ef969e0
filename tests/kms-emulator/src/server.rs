//! Two ports, and one with TLS where that is asked for, served until told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, ConfigError, TlsConfig};
use crate::emulator::Emulator;
use crate::{admin, api, tls};

/// How long requests in flight may take after the stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The error that makes hyper close a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was lost on purpose")]
struct Lost;

/// A running emulator. Dropping it stops it at once.
pub struct Server {
    kms: SocketAddr,
    admin: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    router: Router,
    certificate: Option<TlsConfig>,
}

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port cannot be listened on.
    #[error("listening on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// TLS was asked for, and the configuration has no certificate that it can be spoken with.
    #[error("tls: {0}; expected certificatePem and keyPem")]
    Tls(String),
}

impl Server {
    /// Listens on both addresses (port 0 picks a free one) and serves in tasks of the current runtime.
    pub async fn start(
        config: Config,
        kms: SocketAddr,
        admin: SocketAddr,
    ) -> Result<Self, StartError> {
        let certificate = config.tls.clone();
        let emulator = Arc::new(Emulator::new(config)?);
        let (kms_listener, kms) = listen(kms).await?;
        let (admin_listener, admin) = listen(admin).await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let router = api::router(Arc::clone(&emulator));
        tasks.spawn(serve(kms_listener, None, router.clone(), stopped.clone()));
        let pages = admin::router(emulator);
        tasks.spawn(serve(admin_listener, None, pages, stopped));
        Ok(Self {
            kms,
            admin,
            stop,
            tasks,
            router,
            certificate,
        })
    }

    /// KMS and STS answer here, too, over TLS with the configured certificate.
    pub async fn also_over_tls(&mut self, address: SocketAddr) -> Result<SocketAddr, StartError> {
        self.over_tls_through(address, |router| router).await
    }

    /// The same with something between client and emulator, such as a layer that changes answers.
    pub async fn over_tls_through(
        &mut self,
        address: SocketAddr,
        layer: impl FnOnce(Router) -> Router,
    ) -> Result<SocketAddr, StartError> {
        let certificate = self.certificate.as_ref();
        let certificate = certificate.ok_or_else(|| StartError::Tls("not configured".into()))?;
        let acceptor = tls::acceptor(certificate).map_err(StartError::Tls)?;
        let (listener, bound) = listen(address).await?;
        let (router, stopped) = (layer(self.router.clone()), self.stop.subscribe());
        self.tasks
            .spawn(serve(listener, Some(acceptor), router, stopped));
        Ok(bound)
    }

    /// Where KMS and STS answer.
    pub fn kms_address(&self) -> SocketAddr {
        self.kms
    }

    /// Where the admin port answers.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Takes no more requests, finishes those in flight, and returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    // Owned here, so that dropping the server ends its connections too.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers must not wait for the client's acknowledgement; without it they are only slower.
                    drop(stream.set_nodelay(true));
                    let (router, watcher) = (router.clone(), graceful.watcher());
                    let tls = tls.clone();
                    // How a connection ends is its client's business.
                    connections.spawn(async move {
                        match tls {
                            None => drop(watcher.watch(connection(stream, router)).await),
                            Some(tls) => if let Ok(stream) = tls::greet(&tls, stream).await {
                                drop(watcher.watch(connection(stream, router)).await);
                            },
                        }
                    });
                }
                // Out of file descriptors, most likely: let some connections end first.
                Err(error) => {
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still in flight at the end");
    }
}

fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = inner.call(request);
        async move {
            let response: Result<Response<Body>, Infallible> = answer.await;
            let response = response.unwrap_or_else(|never| match never {});
            match response.extensions().get::<api::LoseAnswer>() {
                Some(_) => Err(Lost),
                None => Ok(response),
            }
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
}
