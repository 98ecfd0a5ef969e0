//! What is waited for, and whether an Event is due for it: it has to last, and is said seldom.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rollover::Reason;
use tokio::time::Instant;

use crate::locked::lock;

/// What ends sooner is no news, and a call that fails for less long needs no cure.
const LASTS: Duration = Duration::from_secs(30);
/// What was not seen for so long had ended; turns that fail are a minute apart.
const ENDED: Duration = Duration::from_mins(3);
/// What was not seen for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_hours(1);
/// What goes on is said again after so long: Events live for an hour.
const AGAIN: Duration = Duration::from_mins(5);

/// One reason of one resource.
#[derive(Debug)]
struct Wait {
    /// Since when it is seen; none once something moved on.
    since: Option<Instant>,
    seen: Instant,
    said: Option<Instant>,
}

impl Wait {
    fn has_lasted(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now.duration_since(since) >= LASTS)
    }
}

/// What is waited for, by uid of the resource.
#[derive(Debug, Default)]
pub struct Waits(Mutex<HashMap<String, HashMap<Reason, Wait>>>);

impl Waits {
    /// This is seen now. Whether it has lasted; `still`: nothing else was said since it was seen last, however long ago.
    pub fn lasts(&self, uid: &str, reason: Reason, still: bool) -> bool {
        self.seen(uid, reason, still, |wait, now| wait.has_lasted(now))
    }

    /// This is seen now. Whether it is to be said.
    pub fn stands(&self, uid: &str, reason: Reason) -> bool {
        self.seen(uid, reason, true, |wait, now| {
            let is_news = |said| now.duration_since(said) >= AGAIN;
            let due = wait.has_lasted(now) && wait.said.is_none_or(is_news);
            if due {
                wait.said = Some(now);
            }
            due
        })
    }

    fn seen(
        &self,
        uid: &str,
        reason: Reason,
        still: bool,
        then: impl FnOnce(&mut Wait, Instant) -> bool,
    ) -> bool {
        let now = Instant::now();
        let mut all = self.all();
        if !all.contains_key(uid) {
            // A resource that goes before it has a finalizer is not told of.
            all.retain(|_, waits| {
                waits
                    .values()
                    .any(|wait| now.duration_since(wait.seen) < FORGOTTEN)
            });
        }
        let waits = all.entry(uid.to_owned()).or_default();
        let wait = waits.entry(reason).or_insert(Wait {
            since: None,
            seen: now,
            said: None,
        });
        if !still && now.duration_since(wait.seen) >= ENDED {
            wait.since = None;
        }
        wait.seen = now;
        wait.since.get_or_insert(now);
        then(wait, now)
    }

    /// Something was done, or nothing is waited for: what comes then begins anew.
    pub fn moved(&self, uid: &str) {
        for wait in self.all().get_mut(uid).into_iter().flatten() {
            wait.1.since = None;
        }
    }

    /// The resource is gone.
    pub fn forget(&self, uid: &str) {
        self.all().remove(uid);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, HashMap<Reason, Wait>>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is said when it is seen every so many seconds, so many times.
    async fn said(waits: &Waits, reason: Reason, every: u64, times: u32) -> usize {
        let mut count = 0;
        for _ in 0..times {
            waits.lasts("u", reason, false);
            count += usize::from(waits.stands("u", reason));
            tokio::time::advance(Duration::from_secs(every)).await;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_and_then_every_five_minutes_however_often_it_is_seen() {
        let waits = Waits::default();
        assert_eq!(said(&waits, Reason::Paused, 1, 30).await, 0);
        assert_eq!(said(&waits, Reason::Paused, 1, 1).await, 1);
        assert_eq!(said(&waits, Reason::Paused, 1, 298).await, 0);
        assert_eq!(said(&waits, Reason::Paused, 15, 80).await, 4, "20 minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn short_waits_between_actions_are_not_added_up() {
        let waits = Waits::default();
        for _ in 0..10 {
            assert_eq!(said(&waits, Reason::ChamberSealed, 10, 2).await, 0);
            waits.moved("u");
        }
        assert_eq!(said(&waits, Reason::ChamberSealed, 10, 4).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_take_turns_are_both_said_and_one_that_ended_begins_anew() {
        let waits = Waits::default();
        let mut counts = [0, 0];
        for _ in 0..4 {
            counts[0] += said(&waits, Reason::KeyUnreadable, 15, 1).await;
            counts[1] += said(&waits, Reason::PrometheusUnavailable, 15, 1).await;
        }
        assert_eq!(counts, [1, 1]);
        tokio::time::advance(AGAIN).await;
        assert_eq!(said(&waits, Reason::KeyUnreadable, 15, 2).await, 0);
        waits.forget("u");
        assert_eq!(said(&waits, Reason::KeyUnreadable, 15, 3).await, 1);
    }
}
