//! How often one server is asked, by all clusters together; and a cluster's chambers, which are a server of its own.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::locked::lock;

/// One look (a handful of questions, at once) in this time: a few questions a second.
const EVERY: Duration = Duration::from_secs(1);
/// Looks that may come together after a pause.
const BURST: u32 = 4;
/// A turn that was not taken for so long is forgotten.
const FORGET: Duration = Duration::from_mins(5);

/// Turns, by server.
#[derive(Default)]
pub struct Pace(Mutex<HashMap<String, Server>>);

#[derive(Default)]
struct Server {
    /// The time at which all looks so far are paid for.
    paid: Option<Instant>,
    /// Turns that were given for later, by uid of the cluster.
    turns: HashMap<String, Instant>,
}

impl Pace {
    /// How long this cluster has to wait; a turn that is given stays its own.
    pub fn turn(&self, server: &str, uid: &str, now: Instant) -> Duration {
        let mut servers = lock(&self.0);
        servers.retain(|_, server| server.paid.is_none_or(|paid| paid + FORGET > now));
        let server = servers.entry(server.to_owned()).or_default();
        server.turns.retain(|_, at| *at + FORGET > now);
        if let Some(at) = server.turns.get(uid).copied() {
            if at <= now {
                server.turns.remove(uid);
            }
            return at.saturating_duration_since(now);
        }
        let paid = server.paid.map_or(now, |paid| paid.max(now)) + EVERY;
        server.paid = Some(paid);
        let wait = paid.saturating_duration_since(now + EVERY * BURST);
        if !wait.is_zero() {
            server.turns.insert(uid.to_owned(), now + wait);
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_clusters_that_ask_all_the_time_get_one_look_a_second_and_each_its_turn() {
        let (pace, start) = (Pace::default(), Instant::now());
        let mut looks = vec![0_u32; 1000];
        let mut when: Vec<Duration> = vec![Duration::ZERO; 1000];
        for step in 0..4000_u32 {
            let now = Duration::from_millis(500) * step;
            for cluster in 0..1000 {
                if when[cluster] <= now {
                    let wait = pace.turn("http://p", &cluster.to_string(), start + now);
                    looks[cluster] += u32::from(wait.is_zero());
                    when[cluster] = now + wait.max(Duration::from_millis(500));
                }
            }
        }
        let all: u32 = looks.iter().sum();
        assert!(all <= 2000 + BURST, "{all} looks in 2000 s");
        assert!(looks.iter().all(|looks| *looks > 0), "somebody is starved");
    }

    /// Verify asks again after a second, and events of pods come between.
    #[test]
    fn one_cluster_that_asks_every_second_and_sometimes_in_between_does_not_wait() {
        let (pace, start) = (Pace::default(), Instant::now());
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            assert_eq!(pace.turn("http://p", "a", now), Duration::ZERO, "{second}");
            if second < 3 {
                let event = now + Duration::from_millis(300);
                assert_eq!(pace.turn("http://p", "a", event), Duration::ZERO);
            }
        }
    }

    #[test]
    fn a_burst_is_for_one_cluster_too_and_servers_do_not_share() {
        let (pace, now) = (Pace::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(pace.turn("http://p", "a", now), Duration::ZERO);
        }
        assert!(!pace.turn("http://p", "a", now).is_zero());
        assert_eq!(pace.turn("http://q", "a", now), Duration::ZERO);
    }
}
