//! The time, as the security module signs it: neither the host nor the enclave's own clock chip can set it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use attestation::{At, Root};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::task::spawn_blocking;
use unseal_agent::{DocumentContent, Nsm};

use crate::error::Fatal;

/// How long the kernel's counter is trusted to go on in step.
const REFRESH: Duration = Duration::from_mins(5);

/// Tells the module's time; clones tell the same.
#[derive(Clone)]
pub struct Clock {
    reading: Arc<Mutex<Reading>>,
    since_boot: fn() -> Duration,
}

/// What the module said, and when it did by the counter.
#[derive(Clone, Copy)]
struct Reading {
    unix: Duration,
    at: Duration,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?} since 1970)", self.now())
    }
}

impl Clock {
    /// A clock that shows `unix` (since 1970) now, and goes on as `since_boot` does.
    pub fn new(unix: Duration, since_boot: fn() -> Duration) -> Self {
        let at = since_boot();
        Self {
            reading: Arc::new(Mutex::new(Reading { unix, at })),
            since_boot,
        }
    }

    /// Sets it by a document of the module, which has to be believed under this root.
    pub fn start(nsm: &impl Nsm, root: &Root) -> Result<Self, Fatal> {
        Ok(Self::new(read(nsm, root)?, since_boot))
    }

    /// Time since 1970.
    pub fn now(&self) -> Duration {
        let reading = *self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.unix + (self.since_boot)().saturating_sub(reading.at)
    }

    /// Sets it anew every few minutes; without an answer it goes on with what it has. Never ends.
    ///
    /// `tell` hears the time whenever it was set.
    pub async fn keep(self, nsm: impl Nsm + Clone, root: Root, tell: impl Fn(Duration)) {
        loop {
            tokio::time::sleep(REFRESH).await;
            let (nsm, root) = (nsm.clone(), root.clone());
            match spawn_blocking(move || read(&nsm, &root)).await {
                Ok(Ok(unix)) => {
                    self.set(unix);
                    tell(unix);
                }
                Ok(Err(error)) => tracing::warn!(%error, "the clock was not set anew"),
                Err(error) => tracing::warn!(%error, "the clock was not set anew"),
            }
        }
    }

    fn set(&self, unix: Duration) {
        let at = (self.since_boot)();
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        *reading = Reading { unix, at };
    }
}

/// Sets the kernel's wall clock, for the workload: the agent itself never reads it.
pub(crate) fn set_kernel(now: Duration) {
    let time = Timespec {
        tv_sec: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(now.subsec_nanos()),
    };
    if let Err(error) = clock_settime(ClockId::Realtime, time) {
        tracing::warn!(%error, "the kernel's wall clock was not set");
    }
}

/// The time in a fresh document. It was signed while this waited, so it is late by that at most.
fn read(nsm: &impl Nsm, root: &Root) -> Result<Duration, Fatal> {
    let document = nsm.attestation_document(DocumentContent::default())?;
    let verified = attestation::verify(&document, root, At::Document).map_err(Fatal::Untrusted)?;
    let millis = u64::try_from(verified.timestamp_ms).unwrap_or_default();
    Ok(Duration::from_millis(millis))
}

/// The kernel's counter, which goes on even where the machine sleeps.
fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.now()))
    }
}

impl aws_smithy_async::time::TimeSource for Clock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Self::now(self)
    }
}
