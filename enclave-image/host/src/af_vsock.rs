//! `AF_VSOCK`: the sockets between an instance and its enclaves.

use std::io;

use chamber_host::{Vsock, VsockListener};
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockStream};

/// The way to the enclave with this CID.
#[derive(Debug, Clone, Copy)]
pub struct AfVsock {
    pub cid: u32,
}

/// A port of the parent.
pub struct Listener(tokio_vsock::VsockListener);

impl Vsock for AfVsock {
    type Stream = VsockStream;
    type Listener = Listener;

    fn cid(&self) -> u32 {
        self.cid
    }

    async fn connect(&self, port: u32) -> io::Result<VsockStream> {
        let connected = VsockStream::connect(VsockAddr::new(self.cid, port)).await;
        connected.map_err(with_cure)
    }

    fn listen(&self, port: u32) -> io::Result<Listener> {
        let bound = tokio_vsock::VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, port));
        bound.map(Listener).map_err(with_cure)
    }
}

impl VsockListener for Listener {
    type Stream = VsockStream;

    async fn accept(&mut self) -> io::Result<(VsockStream, u32)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((stream, peer.cid()))
    }
}

/// Container runtimes forbid the family unless told otherwise; the error alone says nothing of that.
pub fn with_cure(error: io::Error) -> io::Error {
    use rustix::io::Errno;
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    let cure = match code {
        Some(Errno::PERM | Errno::ACCESS) => {
            "the container's seccomp profile forbids AF_VSOCK, as RuntimeDefault does: give the container a Localhost profile that allows socket(AF_VSOCK), or Unconfined"
        }
        Some(Errno::AFNOSUPPORT) => {
            "the node's kernel has no vsock: modprobe vsock, on an instance with enclaves enabled"
        }
        Some(Errno::ADDRINUSE) => {
            "another process of this node listens there: vsock ports are the node's, not the pod's"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}: {cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_runtime_forbids_is_named() {
        let told = |code| with_cure(io::Error::from_raw_os_error(code)).to_string();
        assert!(
            told(1).contains("seccomp profile forbids AF_VSOCK"),
            "{}",
            told(1)
        );
        assert!(told(97).contains("modprobe vsock"), "{}", told(97));
        assert!(
            told(98).contains("another process of this node"),
            "{}",
            told(98)
        );
        assert_eq!(told(104), io::Error::from_raw_os_error(104).to_string());
    }

    #[tokio::test]
    async fn a_port_of_this_machine_is_bound_once() {
        // Where the kernel has vsock at all; the family is all that this can show without an enclave.
        let vsock = AfVsock { cid: 16 };
        let port = 0x4B4D_0000 + std::process::id();
        match vsock.listen(port) {
            Ok(_listener) => {
                let error = vsock.listen(port).err().unwrap();
                assert!(error.to_string().contains("another process"), "{error}");
            }
            Err(error) => assert!(error.to_string().contains("vsock"), "{error}"),
        }
    }
}
