//! From the host to the workload: each connection of the parent becomes one to the workload's TCP port.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::vsock::Listener;

/// Connections at a time; more are closed at once, so that a flood costs the workload no memory.
const CONNECTIONS: usize = 256;
/// How long each connection is held.
pub const PATIENCE: Patience = Patience {
    listening: Duration::from_secs(5),
    idle: Duration::from_mins(5),
};
/// Until the workload is asked again.
const AGAIN: Duration = Duration::from_millis(10);
const BUFFER: usize = chamber_link::ports::CHUNK;

/// How long a connection is held on which nothing happens.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the workload listens: it has its key, and the pod is ready, a moment before it does.
    pub listening: Duration,
    /// Between bytes.
    pub idle: Duration,
}

/// Relays until the enclave's end.
pub(crate) async fn serve(listener: Listener, workload: SocketAddr) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = listener.accept().await;
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        tokio::spawn(async move {
            if let Err(error) = relay(stream, workload, PATIENCE).await {
                tracing::debug!(%error, "a connection to the workload ended");
            }
            drop(place);
        });
    }
}

/// Copies both ways until both have ended, one failed, or patience is at its end.
pub async fn relay(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    workload: SocketAddr,
    patience: Patience,
) -> io::Result<()> {
    let mut near = timeout(patience.listening, connect(workload)).await??;
    let moved = Arc::new(Moved::new());
    let mut far = Watched {
        stream,
        moved: Arc::clone(&moved),
    };
    tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut far, &mut near, BUFFER, BUFFER) => copied.map(|_| ()),
        () = moved.not_for(patience.idle) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn connect(workload: SocketAddr) -> io::Result<TcpStream> {
    loop {
        match TcpStream::connect(workload).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => sleep(AGAIN).await,
            connected => return connected,
        }
    }
}

/// When bytes last moved.
struct Moved {
    start: Instant,
    millis: AtomicU64,
}

impl Moved {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    fn now(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    /// Ends when nothing has moved for so long.
    async fn not_for(&self, idle: Duration) {
        loop {
            let last = Duration::from_millis(self.millis.load(Ordering::Relaxed));
            let end = self.start + last + idle;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// A stream that notes when bytes move.
struct Watched<S> {
    stream: S,
    moved: Arc<Moved>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            self.moved.now();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if polled.is_ready() {
            self.moved.now();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_byte_that_moves_starts_the_time_anew() {
        let moved = Moved::new();
        let idle = Duration::from_secs(10);
        let (begin, waiting) = (Instant::now(), moved.not_for(idle));
        let moving = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            moved.now();
        };
        tokio::join!(waiting, moving);
        assert_eq!(begin.elapsed().as_secs(), 19);
    }
}
