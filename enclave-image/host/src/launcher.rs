//! How an enclave is started; the only thing here that differs between Nitro and its stand-ins.

use std::io;

use measurement::Pcr;
use measurement::eif::Description;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::vsock::Vsock;

/// Starts enclaves, one at a time.
pub trait Launcher: Send {
    /// A started enclave.
    type Enclave: Enclave;
    /// The byte stream to its agent: vsock in production.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// PCR0 that the agent has to name before it is told anything, where the launcher knows its image.
    fn measurement(&self) -> Option<Pcr> {
        None
    }

    /// Starts one and connects to its agent.
    fn launch(&mut self) -> impl Future<Output = io::Result<(Self::Enclave, Self::Stream)>> + Send;
}

/// A started enclave.
pub trait Enclave: Send {
    /// Waits for its end and says how it ended. May be called again after it was cancelled.
    fn ended(&mut self) -> impl Future<Output = String> + Send;
    /// Ends it at once.
    fn kill(&mut self) -> impl Future<Output = ()> + Send;
}

/// Boots one image, again and again; what it boots is reached over vsock.
pub trait Hypervisor: Send {
    /// A booted enclave.
    type Enclave: Enclave;
    /// The way to it.
    type Vsock: Vsock;

    /// What the image is, read from the very bytes that are booted.
    fn image(&self) -> &Description;

    /// PCR0 that an enclave of it attests.
    fn attests(&self) -> Pcr {
        self.image().pcr0
    }

    /// Boots one; its agent may need a while until it listens.
    fn boot(&mut self) -> impl Future<Output = io::Result<(Self::Enclave, Self::Vsock)>> + Send;
}
