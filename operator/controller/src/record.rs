//! The facts that status keeps: how an action changes them.

use chamber_api::{ChamberClusterStatus, Outcome, RolloverRecord, RolloverStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rollover::{Action, Note, Release};

use crate::release;

/// Ended rollovers that status remembers.
const HISTORY: usize = 5;

/// Writes down that an action was done.
pub fn acted(status: &mut ChamberClusterStatus, action: &Action, now: Timestamp) {
    if let Some(rollover) = &mut status.rollover {
        rollover.progressed_at = Time(now);
    }
    match action {
        Action::Note(note) => noted(status, note, now),
        Action::TagCommitment { commitment, .. } => status.commitment = Some(commitment.clone()),
        _ => {}
    }
}

fn noted(status: &mut ChamberClusterStatus, note: &Note, now: Timestamp) {
    match note {
        Note::Begun { from, to } => begin(status, from.as_ref(), to, now),
        Note::TurnedBack { from, to } => {
            end(status, Outcome::TurnedBack, now);
            begin(status, Some(from), to, now);
        }
        Note::Admitted => set(status, |rollover| rollover.admitted_at = Some(Time(now))),
        Note::AdmissionLost => set(status, |rollover| rollover.admitted_at = None),
        Note::RetireBegun => set(status, |rollover| {
            rollover.retire_begun_at = Some(Time(now));
        }),
        Note::Finished => {
            status.current = status.rollover.as_ref().map(|rollover| rollover.to.clone());
            end(status, Outcome::Complete, now);
        }
        Note::Adopted(release) => status.current = Some(release::to_status(release)),
    }
}

fn set(status: &mut ChamberClusterStatus, change: impl FnOnce(&mut RolloverStatus)) {
    if let Some(rollover) = &mut status.rollover {
        change(rollover);
    }
}

fn begin(status: &mut ChamberClusterStatus, from: Option<&Release>, to: &Release, now: Timestamp) {
    status.rollovers += 1;
    status.rollover = Some(RolloverStatus {
        from: from.map(release::to_status),
        to: release::to_status(to),
        started_at: Time(now),
        admitted_at: None,
        retire_begun_at: None,
        progressed_at: Time(now),
    });
}

fn end(status: &mut ChamberClusterStatus, outcome: Outcome, now: Timestamp) {
    let Some(rollover) = status.rollover.take() else {
        return;
    };
    status.history.insert(
        0,
        RolloverRecord {
            from: rollover.from.map(|from| from.revision),
            to: rollover.to.revision,
            started_at: rollover.started_at,
            ended_at: Time(now),
            outcome,
        },
    );
    status.history.truncate(HISTORY);
}

#[cfg(test)]
mod tests {
    use super::*;
    use measurement::{Measurement, Pcr};

    fn release(revision: &str) -> Release {
        Release {
            image: revision.into(),
            measurement: Measurement::image(Pcr::from_bytes([1; 48])),
            revision: revision.into(),
        }
    }

    fn note(status: &mut ChamberClusterStatus, note: Note, second: i64) {
        acted(
            status,
            &Action::Note(note),
            Timestamp::from_second(second).unwrap(),
        );
    }

    #[test]
    fn a_rollover_is_begun_admitted_retired_and_remembered() {
        let mut status = ChamberClusterStatus::default();
        note(
            &mut status,
            Note::Begun {
                from: None,
                to: release("one"),
            },
            1,
        );
        note(&mut status, Note::Admitted, 2);
        note(&mut status, Note::RetireBegun, 3);
        let rollover = status.rollover.as_ref().unwrap();
        assert_eq!(rollover.admitted_at.as_ref().unwrap().0.as_second(), 2);
        assert_eq!(rollover.progressed_at.0.as_second(), 3);
        note(&mut status, Note::Finished, 4);
        assert_eq!(status.rollover, None);
        assert_eq!(status.current.as_ref().unwrap().revision, "one");
        assert_eq!(status.history[0].outcome, Outcome::Complete);
        assert_eq!(status.rollovers, 1);
    }

    #[test]
    fn turning_back_ends_one_rollover_and_begins_another_without_its_times() {
        let mut status = ChamberClusterStatus::default();
        note(
            &mut status,
            Note::Begun {
                from: Some(release("one")),
                to: release("two"),
            },
            1,
        );
        note(&mut status, Note::RetireBegun, 2);
        note(
            &mut status,
            Note::TurnedBack {
                from: release("two"),
                to: release("one"),
            },
            3,
        );
        let rollover = status.rollover.as_ref().unwrap();
        assert_eq!(rollover.to.revision, "one");
        assert_eq!(rollover.retire_begun_at, None);
        assert_eq!(status.history[0].outcome, Outcome::TurnedBack);
    }

    #[test]
    fn the_history_stays_short() {
        let mut status = ChamberClusterStatus::default();
        for second in 0..20 {
            note(
                &mut status,
                Note::Begun {
                    from: None,
                    to: release("one"),
                },
                second,
            );
            note(&mut status, Note::Finished, second);
        }
        assert_eq!(status.history.len(), HISTORY);
        assert_eq!(status.history[0].started_at.0.as_second(), 19);
    }
}
