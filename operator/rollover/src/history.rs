//! What was done is written down.

use jiff::Timestamp;

use crate::{
    Action, Answer, CONFLICTS, KeyWrite, PersistedState, Phase, Release, Rollover, Transition, Verb,
};

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
        let rollover = Rollover::begin(from, to, now);
        // What the last writes of the rollover before were may not be known: this process may have ended between a write
        // and its record. The first write of each key in this one is its own, whatever was recorded; one that changes
        // nothing in the policies has none.
        if rollover.changes_measurement() {
            let written = self.written.values_mut();
            written.for_each(|known| known.content.clear());
        }
        self.rollover = Some(rollover);
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
}
