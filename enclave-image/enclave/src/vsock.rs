//! The enclave's only way out: sockets to the parent instance.

use std::fmt;
use std::io;
use std::time::Duration;

use chamber_link::ports::PARENT_CID;
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener, VsockStream};

use crate::chunked::Chunked;
use crate::error::Fatal;

/// A connection with the parent.
pub type Stream = Chunked<VsockStream>;

/// How long the parent may take to accept; a port on which nobody listens may give no answer at all.
const CONNECT: Duration = Duration::from_secs(3);
/// Before accepting is tried again after it failed, for want of memory or descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// This enclave's own CID.
pub fn own_cid() -> Result<u32, Fatal> {
    ::vsock::get_local_cid().map_err(Fatal::system("the own CID, by /dev/vsock"))
}

/// Listens for the parent.
pub struct Listener {
    listener: VsockListener,
    port: u32,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.port)
    }
}

impl Listener {
    /// On this port of the enclave.
    pub fn bind(port: u32) -> Result<Self, Fatal> {
        let bound = VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, port));
        let listener = bound.map_err(Fatal::system(format!("listening on vsock port {port}")))?;
        Ok(Self { listener, port })
    }

    /// The next connection of the parent. Others are closed: who has a vsock is no reason to be heard.
    pub async fn accept(&self) -> Stream {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) if from.cid() == PARENT_CID => return Chunked(stream),
                Ok((_, from)) => {
                    tracing::warn!(cid = from.cid(), port = self.port, "not the parent");
                }
                Err(error) => {
                    tracing::warn!(%error, port = self.port, "accepting");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Connects to a port of the parent, within a few seconds.
pub async fn connect(port: u32) -> io::Result<Stream> {
    let connected = VsockStream::connect(VsockAddr::new(PARENT_CID, port));
    match tokio::time::timeout(CONNECT, connected).await {
        Ok(stream) => stream.map(Chunked),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
