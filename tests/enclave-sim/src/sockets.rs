//! The parent's side of vsock: unix sockets in one folder, as [`crate::vsock`] maps them.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Bytes of the answer `OK 1073741824` and its line feed at most.
const LONGEST_ANSWER: usize = 14;

/// The sockets of one enclave.
#[derive(Clone, Debug)]
pub struct Sockets {
    dir: PathBuf,
}

impl Sockets {
    /// The sockets in this folder.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Connects to a port of the enclave; `ConnectionRefused` when nobody listens there, or not yet.
    pub async fn connect(&self, port: u32) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(self.dir.join("vsock")).await?;
        stream
            .write_all(format!("CONNECT {port}\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the line is the enclave's.
        while answer.last() != Some(&b'\n') && answer.len() < LONGEST_ANSWER {
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        if answer.starts_with(b"OK ") && answer.ends_with(b"\n") {
            return Ok(stream);
        }
        Err(io::Error::new(
            ErrorKind::ConnectionRefused,
            format!("nobody listens at port {port} of the enclave"),
        ))
    }

    /// Listens at a port of the parent's.
    pub fn listen(&self, port: u32) -> io::Result<UnixListener> {
        UnixListener::bind(self.dir.join(format!("vsock_{port}")))
    }
}
