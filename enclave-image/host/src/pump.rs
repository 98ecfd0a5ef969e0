//! Bytes both ways between two streams, within limits.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chamber_link::ports::CHUNK;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// How much one connection may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Without a byte in either direction.
    pub idle: Duration,
    /// Bytes of both directions together.
    pub bytes: u64,
}

/// Where bytes are counted as they pass.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// From the near stream to the far one.
    pub there: AtomicU64,
    /// From the far stream to the near one.
    pub back: AtomicU64,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Both sides were done.
    Closed,
    /// Nothing moved for too long.
    Idle,
    /// Too much was moved.
    Bytes,
    /// A side failed.
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Moves bytes until both sides are done or a limit is met. The end of one direction is passed on, the other goes on.
pub(crate) async fn pump(
    near: impl AsyncRead + AsyncWrite,
    far: impl AsyncRead + AsyncWrite,
    limits: Limits,
    meter: &Meter,
) -> End {
    let (near_reader, near_writer) = tokio::io::split(near);
    let (far_reader, far_writer) = tokio::io::split(far);
    let account = Account {
        limits,
        moved: AtomicU64::new(0),
        last: Mutex::new(Instant::now()),
    };
    let both = async {
        tokio::try_join!(
            account.direction(near_reader, far_writer, &meter.there),
            account.direction(far_reader, near_writer, &meter.back),
        )
    };
    tokio::select! {
        done = both => done.map_or_else(|end| end, |_| End::Closed),
        () = account.idle() => End::Idle,
    }
}

/// What one connection has done.
struct Account {
    limits: Limits,
    moved: AtomicU64,
    last: Mutex<Instant>,
}

impl Account {
    async fn direction(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
        counter: &AtomicU64,
    ) -> Result<(), End> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = reader.read(&mut chunk).await?;
            if length == 0 {
                return match writer.shutdown().await {
                    // Who is gone already needs not be told.
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
                    done => Ok(done?),
                };
            }
            let moved = self.moved.fetch_add(length as u64, Ordering::Relaxed) + length as u64;
            if moved > self.limits.bytes {
                return Err(End::Bytes);
            }
            self.touch();
            writer.write_all(&chunk[..length]).await?;
            writer.flush().await?;
            counter.fetch_add(length as u64, Ordering::Relaxed);
            self.touch();
        }
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn idle(&self) {
        loop {
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let deadline = last + self.limits.idle;
            if Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

#[cfg(test)]
mod tests;
