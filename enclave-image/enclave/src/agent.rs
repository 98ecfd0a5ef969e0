//! The second process: the agent with its ways out of the enclave.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chamber_link::ports;
use unseal_agent::{Nsm, Trust, TrustError};

use crate::clock::{self, Clock};
use crate::error::Fatal;
use crate::kms::Parent;
use crate::nsm::{Device, Module};
use crate::roots::Roots;
use crate::vsock::{self, Listener};
use crate::workload::{Config, Output, Process};
use crate::{console, entropy, heartbeat, image, ingress, kms};

/// How long the host may take to connect after the start.
const HOST: Duration = Duration::from_mins(5);
/// A shutdown gives up what still runs after this.
const LAST: Duration = Duration::from_millis(100);

/// Runs the agent for one host; its end is the enclave's.
pub(crate) fn run(roots: Roots) -> Result<(), Fatal> {
    let undumpable = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(undumpable)
        .map_err(Fatal::system("PR_SET_DUMPABLE 0"))?;
    let nsm = Device::open()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Fatal::system("starting threads"))?;
    let ended = runtime.block_on(serve(nsm, roots));
    runtime.shutdown_timeout(LAST);
    ended
}

async fn serve(nsm: Module<Device>, roots: Roots) -> Result<(), Fatal> {
    // Before anything is told to anybody.
    let (agent, entrance) = (
        Listener::bind(ports::AGENT)?,
        Listener::bind(ports::INGRESS)?,
    );
    let relay = Relay {
        port: ports::relay(vsock::own_cid()?),
    };
    tokio::spawn(heartbeat::send());
    let debug = nsm.pcr(0)?.is_zero();
    if debug {
        console::log();
        tracing::warn!("PCR0 is all zeros: a debug enclave, which neither seals nor unseals");
    }
    entropy::seed(&nsm)?;
    let clock = Clock::start(&nsm, &roots.nsm)?;
    clock::set_kernel(clock.now());
    let kept = clock.clone();
    tokio::spawn(kept.keep(nsm.clone(), roots.nsm.clone(), clock::set_kernel));
    let (config, trust) = measured(&roots);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
    tokio::spawn(ingress::serve(entrance, address));
    let output = if debug {
        Output::Console
    } else {
        Output::Nowhere
    };
    let mut workload = Process::new(PathBuf::from(image::WORKLOAD), config, output);
    let host = tokio::time::timeout(HOST, agent.accept()).await;
    let host = host.map_err(|_| Fatal::NoHost {
        port: ports::AGENT,
        seconds: HOST.as_secs(),
    })?;
    tokio::spawn(refuse(agent));
    let tls = kms::Tls::new(roots.kms_tls, clock)?;
    let to_kms = |region, credentials| kms::client(relay, tls, region, credentials);
    Ok(unseal_agent::run(host, nsm, to_kms, trust, &mut workload).await?)
}

/// What the user's part of the image says. A fault in it is the host's to hear, so it stops the tasks and not the agent.
fn measured(roots: &Roots) -> (Config, Result<Trust, TrustError>) {
    let trust = |authorities| Trust {
        root: roots.nsm.clone(),
        authorities,
    };
    match (image::config(), image::authorities()) {
        (Ok(config), authorities) => (config, authorities.map(trust)),
        (Err(fault), _) => (Config::default(), Err(fault)),
    }
}

/// Closes all further connections: an enclave has one host, and its port stays taken.
async fn refuse(agent: Listener) {
    loop {
        drop(agent.accept().await);
        tracing::warn!("a second connection to the agent was closed");
    }
}

/// The host's relay for this enclave.
#[derive(Clone, Copy)]
struct Relay {
    port: u32,
}

impl Parent for Relay {
    type Stream = tokio_vsock::VsockStream;

    async fn relay(&self) -> io::Result<Self::Stream> {
        Ok(vsock::connect(self.port).await?.0)
    }
}
