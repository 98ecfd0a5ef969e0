//! What the probes ask: whether the process goes round, and whether it knows what it acts on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The loop around the lease takes four seconds at most: without a round for so long the process hangs.
const HANGS: Duration = Duration::from_mins(1);
/// Without an answer of the API server for so long this replica is of no use.
const UNREACHED: Duration = Duration::from_secs(30);

/// What the process has done lately.
#[derive(Debug)]
pub struct Health {
    /// When the loop around the lease went round last; at first, when the process started.
    turned: Mutex<Instant>,
    /// When the API server answered last.
    reached: Mutex<Option<Instant>>,
    leads: AtomicBool,
    synced: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            turned: Mutex::new(Instant::now()),
            reached: Mutex::default(),
            leads: AtomicBool::default(),
            synced: AtomicBool::default(),
        }
    }
}

impl Health {
    /// The loop around the lease has gone round, and the API server has answered or not.
    pub fn turned(&self, reached: bool) {
        let now = Instant::now();
        *self.turned.lock().unwrap_or_else(PoisonError::into_inner) = now;
        if reached {
            *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
    }

    /// This replica leads: from now on it needs its caches.
    pub fn leads(&self) {
        self.leads.store(true, Ordering::Relaxed);
    }

    /// The caches of all watched namespaces have been filled once.
    pub fn synced(&self) {
        self.synced.store(true, Ordering::Relaxed);
    }

    /// Why the process should be started anew.
    ///
    /// # Errors
    ///
    /// What hangs, in a line.
    pub fn live(&self) -> Result<(), &'static str> {
        let turned = *self.turned.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = turned.elapsed() < HANGS;
        turns
            .then_some(())
            .ok_or("the loop around the lease has not gone round for a minute")
    }

    /// Why this replica cannot do its work; a standby is ready, too.
    ///
    /// # Errors
    ///
    /// What is missing, in a line.
    pub fn ready(&self) -> Result<(), &'static str> {
        let reached = *self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.is_none_or(|reached| reached.elapsed() >= UNREACHED) {
            return Err(
                "for half a minute the API server has not answered, or does not let this replica write its Lease: see the log",
            );
        }
        if self.leads.load(Ordering::Relaxed) && !self.synced.load(Ordering::Relaxed) {
            return Err("the caches of the watched resources are not filled yet");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const A_LITTLE: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_replica_is_ready_while_the_api_server_answers_it() {
        let health = Health::default();
        assert!(health.ready().is_err(), "nothing has answered yet");
        health.turned(true);
        advance(UNREACHED.saturating_sub(A_LITTLE)).await;
        assert_eq!(health.ready(), Ok(()));
        health.turned(false);
        advance(A_LITTLE).await;
        assert!(health.ready().is_err());
        assert_eq!(health.live(), Ok(()), "starting anew would change nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_is_ready_with_its_caches() {
        let health = Health::default();
        health.turned(true);
        health.leads();
        assert!(health.ready().unwrap_err().contains("caches"));
        health.synced();
        assert_eq!(health.ready(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_whose_loop_stands_still_is_started_anew() {
        let health = Health::default();
        advance(HANGS.saturating_sub(A_LITTLE)).await;
        assert_eq!(health.live(), Ok(()));
        advance(A_LITTLE).await;
        assert!(health.live().unwrap_err().contains("lease"));
        health.turned(false);
        assert_eq!(health.live(), Ok(()));
    }
}
