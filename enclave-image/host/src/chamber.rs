//! A whole chamber: an enclave that is reached over vsock, its relay to KMS, and clients' way in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chamber_link::ports;
use measurement::Pcr;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::ingress;
use crate::keys;
use crate::launcher::{Enclave, Hypervisor, Launcher};
use crate::outcome::Outcome;
use crate::relay::{Endpoints, Relay, Resolver, serve};
use crate::state::State;
use crate::supervisor::{Host, run_with};
use crate::traffic::Traffic;
use crate::vsock::Vsock;

/// From power on until the agent listens: some seconds, or more where the machine is busy.
const BOOT_TIME: Duration = Duration::from_mins(1);
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// Nothing tells that somebody listens but a connection that is made.
const POLL: Duration = Duration::from_millis(50);
/// For connections that still carry an answer when the enclave has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// What a chamber needs from its `main`.
pub struct Chamber<R> {
    /// Task, credentials, pages.
    pub host: Host,
    /// Where clients connect to the workload.
    pub workload: TcpListener,
    /// Where the relay looks up KMS endpoints: [`crate::Dns`] in production.
    pub resolver: R,
}

impl<R: Resolver> Chamber<R> {
    /// Runs until `shutdown` resolves or a seal request is refused, as [`crate::run`] does, with relay and ingress.
    pub async fn run<H: Hypervisor>(
        self,
        hypervisor: H,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<Outcome> {
        let traffic = Arc::new(Traffic::default());
        let state = Arc::new(State::with_traffic(Arc::clone(&traffic)));
        let endpoints = endpoints(&self.host, &hypervisor);
        tracing::info!(regions = %endpoints, "KMS is asked in these Regions only");
        let (door, way) = watch::channel(None);
        let relay = Arc::new(Relay {
            endpoints,
            resolver: self.resolver,
            traffic: Arc::clone(&traffic),
        });
        let mut launcher = Wired {
            hypervisor,
            relay,
            door: Arc::new(door),
        };
        let stopped = state.stopped();
        let ingress = ingress::serve(self.workload, way, traffic, stopped);
        let mut ingress = std::pin::pin!(ingress);
        let mut work = std::pin::pin!(run_with(&state, self.host, &mut launcher, shutdown));
        tokio::select! {
            outcome = &mut work => {
                // Without a stop signal, the port is still open.
                state.stopping();
                if timeout(DRAIN, ingress).await.is_err() {
                    tracing::warn!("some connections were still open at the end");
                }
                outcome
            }
            // With a stop signal the port closes first, and the workload still has its time to end.
            () = &mut ingress => work.await,
        }
    }
}

/// KMS in the Regions of the keys that the task names; of the host's own Region where none is known.
fn endpoints(host: &Host, hypervisor: &impl Hypervisor) -> Endpoints {
    let arns = keys::of(&host.start, hypervisor.image());
    let endpoints = Endpoints::of_keys(arns.iter().map(String::as_str));
    if !endpoints.is_empty() {
        return endpoints;
    }
    let region = &host.start.region;
    tracing::warn!(region, "no key's ARN is known: KMS is asked here");
    Endpoints::of_region(region)
}

/// A hypervisor whose enclaves have relay and ingress.
struct Wired<H: Hypervisor, R> {
    hypervisor: H,
    relay: Arc<Relay<R>>,
    door: Arc<watch::Sender<Option<H::Vsock>>>,
}

impl<H: Hypervisor, R: Resolver> Launcher for Wired<H, R> {
    type Enclave = Running<H>;
    type Stream = <H::Vsock as Vsock>::Stream;

    fn measurement(&self) -> Option<Pcr> {
        Some(self.hypervisor.attests())
    }

    async fn launch(&mut self) -> io::Result<(Self::Enclave, Self::Stream)> {
        let (mut enclave, vsock) = self.hypervisor.boot().await?;
        match self.wire(&mut enclave, vsock).await {
            Ok((relay, stream)) => {
                let door = Arc::clone(&self.door);
                let running = Running {
                    enclave,
                    door,
                    _relay: relay,
                };
                Ok((running, stream))
            }
            Err(error) => {
                enclave.kill().await;
                Err(error)
            }
        }
    }
}

impl<H: Hypervisor, R: Resolver> Wired<H, R> {
    async fn wire(
        &mut self,
        enclave: &mut H::Enclave,
        vsock: H::Vsock,
    ) -> io::Result<(JoinSet<()>, <H::Vsock as Vsock>::Stream)> {
        let cid = vsock.cid();
        // Before the agent is told anything: the first thing it does then is to ask KMS.
        let port = ports::relay(cid);
        let listener = vsock.listen(port).map_err(|error| {
            let what = format!("listening on the parent's vsock port {port} for CID {cid}");
            io::Error::new(error.kind(), format!("{what}: {error}"))
        })?;
        let mut relay = JoinSet::new();
        relay.spawn(serve(Arc::clone(&self.relay), listener, cid));
        let stream = reach(enclave, &vsock).await?;
        self.door.send_replace(Some(vsock));
        Ok((relay, stream))
    }
}

/// Connects to the agent as soon as it listens.
async fn reach<V: Vsock>(enclave: &mut impl Enclave, vsock: &V) -> io::Result<V::Stream> {
    let began = Instant::now();
    loop {
        let tried = tokio::select! {
            how = enclave.ended() => {
                return Err(io::Error::other(format!("it ended while it booted: {how}")));
            }
            tried = timeout(CONNECT_TIME, vsock.connect(ports::AGENT)) => tried,
        };
        let why = match tried {
            Ok(Ok(stream)) => {
                tracing::info!(boot = ?began.elapsed(), cid = vsock.cid(), "the agent is reached");
                return Ok(stream);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {CONNECT_TIME:?}"),
        };
        if began.elapsed() >= BOOT_TIME {
            return Err(io::Error::other(format!(
                "its agent does not listen on vsock port {} within {BOOT_TIME:?}: {why}",
                ports::AGENT
            )));
        }
        sleep(POLL).await;
    }
}

/// A booted enclave with its relay.
struct Running<H: Hypervisor> {
    enclave: H::Enclave,
    door: Arc<watch::Sender<Option<H::Vsock>>>,
    // Its tasks end with it.
    _relay: JoinSet<()>,
}

impl<H: Hypervisor> Drop for Running<H> {
    fn drop(&mut self) {
        self.door.send_replace(None);
    }
}

impl<H: Hypervisor> Enclave for Running<H> {
    async fn ended(&mut self) -> String {
        self.enclave.ended().await
    }

    async fn kill(&mut self) {
        self.enclave.kill().await;
    }
}

#[cfg(test)]
mod tests;
