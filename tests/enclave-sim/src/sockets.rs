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

#[cfg(test)]
mod tests {
    use super::*;

    /// What `connect` makes of an answer, with what it leaves unread.
    async fn answered(answer: &'static [u8]) -> io::Result<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("vsock")).unwrap();
        let device = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = [0; 13];
            stream.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"CONNECT 5000\n");
            stream.write_all(answer).await.unwrap();
        };
        let sockets = Sockets::new(dir.path());
        let ((), stream) = tokio::join!(device, sockets.connect(5000));
        let mut rest = Vec::new();
        stream?.read_to_end(&mut rest).await?;
        Ok(rest)
    }

    #[tokio::test]
    async fn what_follows_the_answer_is_the_enclaves() {
        assert_eq!(answered(b"OK 1073741824\nhello").await.unwrap(), b"hello");
    }

    #[tokio::test]
    async fn without_a_whole_answer_nobody_listens() {
        for answer in [&b""[..], b"OK 1", b"NO 1\n", b"OK 99999999999999999\n"] {
            let error = answered(answer).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{answer:?}");
        }
    }
}
