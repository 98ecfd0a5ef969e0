//! Vsock inside of one process, and an image, for the tests of this crate: compiled with `cfg(test)` alone, so that what
//! fails here fails a test.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use measurement::eif::{self, Description, Image};

use crate::vsock::{Vsock, VsockListener};

/// A small image, as it is read from its file.
pub(crate) fn image() -> Description {
    let image = Image {
        kernel: b"kernel",
        cmdline: "console=ttyS0",
        ramdisks: &[vec![1], vec![2]],
        metadata: "{}",
    };
    let mut file = Vec::new();
    eif::write(&image, None, &mut file).unwrap();
    eif::read(file.as_slice()).unwrap()
}

/// The CID of the only enclave.
pub(crate) const CID: u32 = 16;
const BUFFER: usize = 256 * 1024;

/// Connections arrive over a channel, each with its peer's CID.
pub(crate) struct Incoming(mpsc::Receiver<(DuplexStream, u32)>);

impl VsockListener for Incoming {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, u32)> {
        match self.0.recv().await {
            Some(accepted) => Ok(accepted),
            None => std::future::pending().await,
        }
    }
}

/// Connects to a listener as who has some CID.
#[derive(Clone)]
pub(crate) struct Dialer(mpsc::Sender<(DuplexStream, u32)>);

impl Dialer {
    pub async fn dial(&self, cid: u32) -> DuplexStream {
        let (near, far) = duplex(BUFFER);
        self.0.send((far, cid)).await.unwrap();
        near
    }
}

pub(crate) fn port() -> (Dialer, Incoming) {
    let (sender, receiver) = mpsc::channel(4);
    (Dialer(sender), Incoming(receiver))
}

/// The enclave's side of connections that the host makes, with their ports.
pub(crate) type Accepted = mpsc::UnboundedReceiver<(DuplexStream, u32)>;

/// A way to an enclave that takes every connection while somebody holds the other end.
#[derive(Clone)]
pub(crate) struct FakeVsock {
    enclave: mpsc::UnboundedSender<(DuplexStream, u32)>,
    listening: Arc<Mutex<Vec<(u32, Dialer)>>>,
}

impl FakeVsock {
    pub fn new() -> (Self, Accepted) {
        let (enclave, accepted) = mpsc::unbounded_channel();
        let vsock = Self {
            enclave,
            listening: Arc::default(),
        };
        (vsock, accepted)
    }

    /// The way to a port of the parent, once it listens.
    pub fn parent(&self, port: u32) -> Option<Dialer> {
        let listening = self.listening.lock().unwrap();
        let found = listening.iter().rev().find(|(open, _)| *open == port);
        found.map(|(_, dialer)| dialer.clone())
    }
}

impl Vsock for FakeVsock {
    type Stream = DuplexStream;
    type Listener = Incoming;

    fn cid(&self) -> u32 {
        CID
    }

    async fn connect(&self, port: u32) -> io::Result<DuplexStream> {
        let (near, far) = duplex(BUFFER);
        let sent = self.enclave.send((far, port));
        sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(near)
    }

    fn listen(&self, number: u32) -> io::Result<Incoming> {
        let (dialer, incoming) = port();
        self.listening.lock().unwrap().push((number, dialer));
        Ok(incoming)
    }
}
