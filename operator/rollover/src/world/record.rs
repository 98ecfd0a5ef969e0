//! What only status knows.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use measurement::{Measurement, Pcr};

use crate::{Action, Answer, KeyWrite, Release, Transition, Verb};

/// A policy that was put right so often within [`CONFLICT_WINDOW`] has another writer.
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
    /// [`KeyWrite::content`] of the last write.
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
}

impl PersistedState {
    /// Writes down that an action was done.
    pub fn acted(&mut self, action: &Action, now: Timestamp) {
        // An answer is no progress: whoever asks again and again would put the deadline off for ever.
        if !matches!(action, Action::Transition(Transition::Answered { .. })) {
            self.set(|rollover| rollover.progressed_at = now);
        }
        match action {
            Action::Transition(note) => self.record_transition(note, now),
            Action::TagCommitment { commitment, .. } => self.commitment = Some(commitment.clone()),
            Action::WritePolicies(writes) => writes.iter().for_each(|write| self.wrote(write, now)),
            _ => {}
        }
    }

    fn record_transition(&mut self, note: &Transition, now: Timestamp) {
        match note {
            Transition::Begun {
                from,
                to,
                found,
                number,
            } => {
                self.rollovers = *number;
                self.begin(from.clone(), to.clone(), now);
                self.set(|rollover| rollover.found.clone_from(found));
            }
            Transition::TurnedBack => self.turn_back(now),
            Transition::Failed { failure, back } => {
                self.failure = Some(failure.clone());
                if *back {
                    self.turn_back(now);
                }
            }
            Transition::FailureForgotten => self.failure = None,
            Transition::Answered {
                verb,
                token,
                answer,
            } => self.answered(*verb, token, answer, now),
            Transition::ManifestTaken(release) => {
                self.set(|rollover| rollover.to.clone_from(release));
            }
            Transition::Attested(revision) => self.attested = Some(revision.clone()),
            Transition::Committed(commitment) => self.commitment = Some(commitment.clone()),
            Transition::Admitted => {
                self.set(|rollover| rollover.phase = Phase::Admitted { at: now });
            }
            Transition::AdmissionLost => self.set(|rollover| rollover.phase = Phase::Admitting),
            Transition::RetireBegun => {
                self.set(|rollover| rollover.phase = Phase::Retiring { since: now });
            }
            Transition::Finished => {
                self.ended_at = Some(now);
                self.current = self.rollover.take().map(|rollover| rollover.to);
            }
            Transition::Recovered { release, number } => {
                self.rollovers = *number;
                self.current = Some(release.clone());
            }
        }
    }

    fn answered(&mut self, verb: Verb, token: &str, answer: &Answer, now: Timestamp) {
        let handled = match verb {
            Verb::Abort => &mut self.handled.abort,
            Verb::Retry => &mut self.handled.retry,
            Verb::Revoke => &mut self.handled.revoke,
            Verb::Unrevoke => &mut self.handled.unrevoke,
            Verb::Transfer => &mut self.handled.transfer,
        };
        *handled = Some(token.to_owned());
        match answer {
            Answer::Aborted(failure) => {
                self.failure = Some(failure.clone());
                self.turn_back(now);
            }
            Answer::Retried => {
                self.failure = None;
                self.written
                    .values_mut()
                    .for_each(|written| written.put_right.clear());
            }
            Answer::Revoked(images) => self.revoked.extend(images.iter().map(|(image, _)| *image)),
            Answer::Unrevoked(images) => {
                self.revoked
                    .retain(|known| images.iter().all(|(image, _)| image != known));
            }
            Answer::Transferred { .. } | Answer::Refused(_) => {}
        }
    }

    /// The release before was admitted all along: what the way there waited for need not be waited for again.
    fn turn_back(&mut self, now: Timestamp) {
        if let Some(Rollover {
            from: Some(from),
            to,
            phase,
            ..
        }) = self.rollover.take()
        {
            self.rollovers += 1;
            self.begin(Some(to), from, now);
            if let Phase::Admitted { .. } = phase {
                self.set(|rollover| rollover.phase = phase);
            }
        }
    }

    fn begin(&mut self, from: Option<Release>, to: Release, now: Timestamp) {
        self.rollover = Some(Rollover::begin(from, to, now));
    }

    fn set(&mut self, change: impl FnOnce(&mut Rollover)) {
        if let Some(rollover) = &mut self.rollover {
            change(rollover);
        }
    }

    /// Another content is this cluster's own change; the same one again puts right what a foreign hand did.
    fn wrote(&mut self, write: &KeyWrite, now: Timestamp) {
        let known = self.written.entry(write.arn.clone()).or_default();
        if known.content != write.content {
            known.content.clone_from(&write.content);
            return;
        }
        known.put_right.push(now);
        let spare = known.put_right.len().saturating_sub(CONFLICTS);
        known.put_right.drain(..spare);
    }

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
