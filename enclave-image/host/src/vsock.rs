//! Sockets between this parent and one enclave.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// The way to one enclave: `AF_VSOCK` in production.
pub trait Vsock: Clone + Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// A port that the enclave may connect to.
    type Listener: VsockListener<Stream = Self::Stream>;

    /// Context id of the enclave: names it among all of this machine.
    fn cid(&self) -> u32;

    /// Connects to a port of the enclave.
    fn connect(&self, port: u32) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens on a port of the parent. The machine's ports are shared by all: whoever connects says its CID.
    fn listen(&self, port: u32) -> io::Result<Self::Listener>;
}

/// A port of the parent.
pub trait VsockListener: Send + 'static {
    /// A connection.
    type Stream;

    /// The next connection, and the CID of who made it. Cancellation loses none.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, u32)>> + Send;
}
