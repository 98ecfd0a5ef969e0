//! How an enclave is started; the only thing here that differs between Nitro and its stand-in.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// Starts enclaves, one at a time.
pub trait Launcher: Send {
    /// A started enclave.
    type Enclave: Enclave;
    /// The byte stream to its agent: vsock in production.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
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
