//! How long to wait between attempts.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// Delays of 0.5 s, doubling up to 15 s, each shortened by up to a half at random.
///
/// The first are short because a policy that was just changed takes seconds to arrive; the jitter keeps the chambers
/// of a cluster from asking in step.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let mut random = [0; 2];
        // Without random bytes there is no jitter, and waiting goes on.
        let _ = aws_lc_rs::rand::fill(&mut random);
        self.delay_with(u16::from_be_bytes(random))
    }

    /// `random` 0 keeps the whole delay, the greatest value halves it.
    fn delay_with(&mut self, random: u16) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let cut = f64::from(random) / f64::from(u16::MAX);
        whole.mul_f64(1.0 - cut / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_half_a_second_to_fifteen_and_stays_there() {
        let mut backoff = Backoff::default();
        let delays: Vec<_> = (0..8).map(|_| backoff.delay_with(0).as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    }

    #[test]
    fn jitter_takes_away_at_most_half() {
        assert_eq!(
            Backoff::default().delay_with(u16::MAX),
            Duration::from_millis(250)
        );
        let mut backoff = Backoff::default();
        let delays: std::collections::BTreeSet<_> =
            (0..20).map(|_| Backoff::default().delay()).collect();
        assert!(delays.len() > 1, "every delay was the same: no jitter");
        assert!(backoff.delay() >= Duration::from_millis(250));
    }
}
