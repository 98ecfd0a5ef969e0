//! What the probes ask: whether the process goes round, and whether it knows what it acts on.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::locked::lock;

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
    /// What a leader watches and has not seen yet; a standby watches nothing.
    unseen: Mutex<BTreeSet<String>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            turned: Mutex::new(Instant::now()),
            reached: Mutex::default(),
            unseen: Mutex::default(),
        }
    }
}

impl Health {
    /// The loop around the lease has gone round, and the API server has answered or not.
    pub fn turned(&self, reached: bool) {
        let now = Instant::now();
        *lock(&self.turned) = now;
        if reached {
            *lock(&self.reached) = Some(now);
        }
    }

    /// This replica leads, and needs the resources of these namespaces.
    pub fn watches(&self, namespaces: impl IntoIterator<Item = String>) {
        lock(&self.unseen).extend(namespaces);
    }

    /// The resources of this namespace have been listed once.
    pub fn has_seen(&self, namespace: &str) {
        lock(&self.unseen).remove(namespace);
    }

    /// Why the process should be started anew.
    ///
    /// # Errors
    ///
    /// What hangs, in a line.
    pub fn live(&self) -> Result<(), String> {
        let turns = lock(&self.turned).elapsed() < HANGS;
        turns
            .then_some(())
            .ok_or_else(|| "the loop around the lease has not gone round for a minute".to_owned())
    }

    /// Why this replica cannot do its work; a standby is ready, too.
    ///
    /// # Errors
    ///
    /// What is missing, in a line.
    pub fn ready(&self) -> Result<(), String> {
        let lease = "the API server has not let this replica read and write its Lease";
        match *lock(&self.reached) {
            None => return Err(format!("{lease} yet: see the log")),
            Some(reached) if reached.elapsed() >= UNREACHED => {
                return Err(format!("{lease} for half a minute: see the log"));
            }
            Some(_) => {}
        }
        let unseen = lock(&self.unseen);
        if unseen.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = unseen.iter().map(String::as_str).collect();
        let names = names.join(", ");
        Err(format!(
            "the ChamberClusters of {names} cannot be listed yet: see the log"
        ))
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
        assert!(health.ready().unwrap_err().contains("yet"));
        health.turned(true);
        advance(UNREACHED.saturating_sub(A_LITTLE)).await;
        assert_eq!(health.ready(), Ok(()));
        health.turned(false);
        advance(A_LITTLE).await;
        assert!(health.ready().is_err());
        assert_eq!(health.live(), Ok(()), "starting anew would change nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_is_ready_when_it_has_seen_what_it_watches() {
        let health = Health::default();
        health.turned(true);
        health.watches(["prod".to_owned(), "test".to_owned()]);
        assert!(health.ready().unwrap_err().contains("of prod, test cannot"));
        health.has_seen("prod");
        assert!(health.ready().unwrap_err().contains("of test cannot"));
        health.has_seen("test");
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
