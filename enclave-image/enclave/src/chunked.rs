//! Writes of bounded length: longer ones become packets of several parts, which not every vsock device takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use chamber_link::ports::CHUNK;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that hands at most [`CHUNK`] bytes on in one write.
#[derive(Debug)]
pub struct Chunked<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for Chunked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Chunked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        Pin::new(&mut self.0).poll_write(context, chunk)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_long_write_is_handed_on_in_chunks() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let mut near = Chunked(near);
        let bytes = vec![7; 3 * CHUNK + 1];
        assert_eq!(near.write(&bytes).await.unwrap(), CHUNK);
        near.write_all(&bytes[CHUNK..]).await.unwrap();
        near.shutdown().await.unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, bytes);
    }
}
