//! The enclave's way to KMS: a proxy that knows KMS endpoints only. TLS ends inside the enclave: here pass ciphertexts.

mod endpoints;
mod request;
mod resolver;

pub use endpoints::Endpoints;
pub use resolver::{Dns, Resolver};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::pump::{Limits, pump};
use crate::traffic::Traffic;
use crate::vsock::VsockListener;

/// Connections of one enclave at a time: ten keys, some tries each.
const MAX_CONNECTIONS: usize = 64;
/// The agent writes its request at once.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const RESOLVE_TIME: Duration = Duration::from_secs(3);
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// A request with its attestation document has some 30 KiB; connections are used again.
const LIMITS: Limits = Limits {
    idle: Duration::from_secs(90),
    bytes: 16 * 1024 * 1024,
};
/// After an error of accept, which can be a lack of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Why an enclave gets no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the request is malformed: {0}")]
    Malformed(String),
    #[error("the request is longer than 1 KiB")]
    TooLong,
    #[error("the request was not there within 5 s")]
    Slow,
    #[error("{host} is no KMS endpoint of the Regions of the chamber's keys ({regions})")]
    NotAllowed { host: String, regions: String },
    #[error("{host} is not resolved: {why}")]
    NoAddress { host: String, why: String },
    #[error("{host} is not reached: {why}")]
    NoConnection { host: String, why: String },
}

impl Refusal {
    /// HTTP status, and the label in metrics.
    const fn class(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) => (400, "malformed"),
            Self::TooLong => (431, "too_long"),
            Self::Slow => (408, "slow"),
            Self::NotAllowed { .. } => (403, "not_allowed"),
            Self::NoAddress { .. } => (502, "no_address"),
            Self::NoConnection { .. } => (502, "no_connection"),
        }
    }

    /// One line, and a blank one. Whatever the enclave wrote stays inside of the line.
    fn answer(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        };
        let reason: String = self.to_string().chars().map(plain).collect();
        format!("HTTP/1.1 {} {reason}\r\n\r\n", self.class().0)
    }
}

/// What the relay knows.
pub(crate) struct Relay<R> {
    pub endpoints: Endpoints,
    pub resolver: R,
    pub traffic: Arc<Traffic>,
}

/// Serves one enclave until it is dropped; its connections end with it.
pub(crate) async fn serve<R: Resolver, L: VsockListener>(
    relay: Arc<Relay<R>>,
    mut listener: L,
    cid: u32,
) where
    L::Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                relay.traffic.relay.refused("accept", || error.to_string());
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        if peer != cid {
            let who = || format!("CID {peer} is not this chamber's enclave (CID {cid})");
            relay.traffic.relay.refused("foreign", who);
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let what = || format!("{MAX_CONNECTIONS} connections are open");
            relay.traffic.relay.refused("too_many", what);
            continue;
        };
        let relay = Arc::clone(&relay);
        connections.spawn(async move {
            relay.connection(stream).await;
            drop(place);
        });
    }
}

impl<R: Resolver> Relay<R> {
    async fn connection(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let flow = &self.traffic.relay;
        match self.open(&mut stream).await {
            Ok(far) => {
                let _open = flow.opened();
                flow.ended(&pump(stream, far, LIMITS, &flow.bytes).await);
            }
            Err(refusal) => {
                flow.refused(refusal.class().1, || refusal.to_string());
                // An enclave that does not read gets no answer.
                let answer = refusal.answer();
                let _ = timeout(REQUEST_TIME, stream.write_all(answer.as_bytes())).await;
                let _ = timeout(REQUEST_TIME, stream.shutdown()).await;
            }
        }
    }

    /// Reads the request, and connects to what it asks for.
    async fn open(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<TcpStream, Refusal> {
        let request = timeout(REQUEST_TIME, request::read(stream)).await;
        let request = request.map_err(|_| Refusal::Slow)??;
        let host = request.host;
        if !self.endpoints.allow(&host) {
            let regions = self.endpoints.to_string();
            return Err(Refusal::NotAllowed { host, regions });
        }
        let mut far = self.connect(&host).await?;
        let greeted = async {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            far.write_all(&request.rest).await
        };
        match timeout(REQUEST_TIME, greeted).await {
            Ok(Ok(())) => Ok(far),
            Ok(Err(error)) => Err(Refusal::Malformed(error.to_string())),
            Err(_) => Err(Refusal::Slow),
        }
    }

    async fn connect(&self, host: &str) -> Result<TcpStream, Refusal> {
        let no_address = |why: String| Refusal::NoAddress {
            host: host.to_owned(),
            why,
        };
        let found = timeout(RESOLVE_TIME, self.resolver.resolve(host)).await;
        let found = found.map_err(|_| no_address(format!("no answer in {RESOLVE_TIME:?}")))?;
        let found = found.map_err(|error| no_address(error.to_string()))?;
        let mut why = None;
        for address in found {
            match timeout(CONNECT_TIME, dial(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = Some(format!("{address}: {error}")),
                Err(_) => why = Some(format!("{address}: no answer in {CONNECT_TIME:?}")),
            }
        }
        let Some(why) = why else {
            return Err(no_address("no address".to_owned()));
        };
        let host = host.to_owned();
        Err(Refusal::NoConnection { host, why })
    }
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
