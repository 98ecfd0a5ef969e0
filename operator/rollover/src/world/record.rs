//! What only status knows.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use measurement::{Measurement, Pcr};

use crate::Release;

/// A policy that was put right so often within [`CONFLICT_WINDOW`] has another writer: with a reading every ten minutes one
/// that writes steadily is met six times an hour, and a person's slip or one `terraform apply` fewer times than four.
pub const CONFLICTS: usize = 4;
/// See [`CONFLICTS`].
pub const CONFLICT_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What only status knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersistedState {
    /// The release that all chambers were verified on last.
    pub current: Option<Release>,
    /// The rollover in flight.
    pub rollover: Option<Rollover>,
    /// How many rollovers were begun. The keys' tags know it, too, so that an old status is seen.
    pub rollovers: u64,
    /// Commitment to the master key, hex, since the first seal.
    pub commitment: Option<String>,
    /// Revision of the first release whose chambers all attested: from then on `Preferred` demands it. Where it is
    /// lost, `Preferred` means again what it meant at first; `Required` rests on nothing that is stored.
    pub attested: Option<String>,
    /// The release that failed or was aborted; not started again while the spec names it.
    pub failure: Option<Failure>,
    /// Images that are never admitted again.
    pub revoked: Vec<Pcr>,
    /// What was written last to each key, by ARN. It outlives phases and rollovers: what is put right again and again
    /// has another writer, whatever this cluster does meanwhile.
    pub written: BTreeMap<String, Written>,
    /// When the last rollover ended: the policies are looked at again soon after.
    pub ended_at: Option<Timestamp>,
    /// Tokens of the verbs that were answered.
    pub handled: crate::Verbs,
}

/// What was written last to one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// [`crate::KeyWrite::content`] of the last write.
    pub content: String,
    /// When the same was written again, because a foreign hand had changed it: the last [`CONFLICTS`] times.
    pub put_right: Vec<Timestamp>,
}

/// The release that failed or was aborted.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Its revision.
    pub revision: String,
    /// Why, as a sentence.
    pub why: String,
}

/// The rollover in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollover {
    /// The release before; none at the first start.
    pub from: Option<Release>,
    /// The target.
    pub to: Release,
    /// What single keys' policies admitted when they were taken over, by ARN: it stays there until Retire.
    pub found: BTreeMap<String, Measurement>,
    /// How far it has come, as far as that cannot be observed.
    pub phase: Phase,
    /// When something moved on last.
    pub progressed_at: Timestamp,
}

/// How far a rollover has come, as far as that cannot be observed: what a step may do follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not every policy has held both measurements yet.
    Admitting,
    /// Every policy, read back, held both.
    Admitted {
        /// When that was seen: the settle time counts from here.
        at: Timestamp,
    },
    /// The old measurement leaves: the only way is forward.
    Retiring {
        /// Since when.
        since: Timestamp,
    },
}

impl Rollover {
    /// One that begins now.
    pub fn begin(from: Option<Release>, to: Release, now: Timestamp) -> Self {
        Self {
            from,
            to,
            found: BTreeMap::new(),
            phase: Phase::Admitting,
            progressed_at: now,
        }
    }

    /// Whether the only way is forward.
    pub fn retires(&self) -> bool {
        matches!(self.phase, Phase::Retiring { .. })
    }

    /// The measurements that the policies hold while both releases run, old one first.
    pub fn live(&self) -> Vec<Measurement> {
        let mut live: Vec<_> = self
            .from
            .iter()
            .map(|from| from.measurement.clone())
            .collect();
        if live.first() != Some(&self.to.measurement) {
            live.push(self.to.measurement.clone());
        }
        live
    }

    /// Whether Admit and Retire have something to do.
    pub fn changes_measurement(&self) -> bool {
        self.from.as_ref().map(|from| &from.measurement) != Some(&self.to.measurement)
    }

    /// Whether there is a measurement to go back to: without one, Retire ends nothing.
    pub fn leaves_another(&self) -> bool {
        self.from.is_some() && self.changes_measurement()
    }
}

impl PersistedState {
    /// Whether something else changes the policy of this key again and again.
    pub fn flips(&self, arn: &str, now: Timestamp) -> bool {
        // A time from the future was written before the clock was set back.
        let recent = |at: &&Timestamp| now.duration_since(**at).abs() <= CONFLICT_WINDOW;
        let known = self.written.get(arn);
        known.is_some_and(|known| known.put_right.iter().filter(recent).count() >= CONFLICTS)
    }

    /// Whether something else changes the policy of any key again and again.
    pub fn any_flips(&self, now: Timestamp) -> bool {
        self.written.keys().any(|arn| self.flips(arn, now))
    }
}
