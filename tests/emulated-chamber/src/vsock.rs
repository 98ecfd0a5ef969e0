//! vsock of an emulated enclave as the host library knows it.

use std::io;

use chamber_host::{Vsock, VsockListener};
use enclave_sim::Sockets;
use tokio::net::{UnixListener, UnixStream};

/// The ports of one enclave.
#[derive(Clone, Debug)]
pub struct Emulated {
    /// Of its devices.
    pub sockets: Sockets,
    /// The enclave's.
    pub cid: u32,
}

impl Vsock for Emulated {
    type Stream = UnixStream;
    type Listener = FromEnclave;

    fn cid(&self) -> u32 {
        self.cid
    }

    async fn connect(&self, port: u32) -> io::Result<UnixStream> {
        self.sockets.connect(port).await
    }

    fn listen(&self, port: u32) -> io::Result<FromEnclave> {
        Ok(FromEnclave {
            listener: self.sockets.listen(port)?,
            cid: self.cid,
        })
    }
}

/// Connections that the enclave makes to one port of its parent.
pub struct FromEnclave {
    listener: UnixListener,
    cid: u32,
}

impl VsockListener for FromEnclave {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.listener.accept().await?;
        // Nobody else is connected to these devices.
        Ok((stream, self.cid))
    }
}
