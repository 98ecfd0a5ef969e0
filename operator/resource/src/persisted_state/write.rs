//! The facts that status keeps, written after an action.

use std::collections::BTreeMap;

use chamber_api::{
    ChamberClusterStatus, FailureStatus, FoundStatus, KeyWriteStatus, Outcome, RolloverRecord,
    RolloverStatus, VerbsStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use measurement::{Measurement, Pcr};
use rollover::{Action, Answer, PersistedState, Phase, Transition, Written};

use super::read::read;
use crate::release;

/// Ended rollovers that status remembers.
const HISTORY: usize = 5;

/// Writes down that an action was done.
pub fn acted(status: &mut ChamberClusterStatus, action: &Action, now: Timestamp) {
    let before = read(status);
    let mut after = before.clone();
    after.acted(action, now);
    if let Some(outcome) = ended(&before, action) {
        remember(status, outcome, now);
    }
    let begun = after.rollovers != before.rollovers;
    let known = status.rollover.take().filter(|_| !begun);
    status.rollover = after.rollover.as_ref().map(|rollover| RolloverStatus {
        from: rollover.from.as_ref().map(release::to_status),
        to: release::to_status(&rollover.to),
        found: found(&rollover.found),
        started_at: known
            .as_ref()
            .map_or(Time(now), |known| known.started_at.clone()),
        admitted_at: match rollover.phase {
            Phase::Admitting => None,
            Phase::Admitted { at } => Some(Time(at)),
            Phase::Retiring { .. } => known.as_ref().and_then(|known| known.admitted_at.clone()),
        },
        retire_begun_at: match rollover.phase {
            Phase::Admitting | Phase::Admitted { .. } => None,
            Phase::Retiring { since } => Some(Time(since)),
        },
        progressed_at: Time(rollover.progressed_at),
    });
    status.current = after.current.as_ref().map(release::to_status);
    status.rollovers = i64::try_from(after.rollovers).unwrap_or(i64::MAX);
    status.commitment = after.commitment;
    status.attested_release = after.attested;
    status.failure = after.failure.map(|failure| FailureStatus {
        revision: failure.revision,
        message: failure.why,
    });
    status.revoked = after.revoked.iter().map(Pcr::to_string).collect();
    status.key_writes = after.written.into_iter().map(written).collect();
    let (answer, refused) = match action {
        Action::Transition(note @ Transition::Answered { answer, .. }) => {
            let refused = matches!(answer, Answer::Refused(_));
            (Some(note.to_string()), refused)
        }
        _ => (status.verbs.answer.take(), status.verbs.refused),
    };
    status.verbs = VerbsStatus {
        abort: after.handled.abort,
        retry: after.handled.retry,
        revoke: after.handled.revoke,
        unrevoke: after.handled.unrevoke,
        transfer: after.handled.transfer,
        answer,
        refused,
    };
}

fn found(found: &BTreeMap<String, Measurement>) -> Vec<FoundStatus> {
    let each = found.iter().map(|(arn, measurement)| FoundStatus {
        arn: arn.clone(),
        measurement: release::measurement_to_status(measurement),
    });
    each.collect()
}

fn written((arn, written): (String, Written)) -> KeyWriteStatus {
    KeyWriteStatus {
        arn,
        content: written.content,
        put_right: written.put_right.into_iter().map(Time).collect(),
    }
}

/// How the rollover in flight ends by an action, if it does.
fn ended(before: &PersistedState, action: &Action) -> Option<Outcome> {
    before.rollover.as_ref()?;
    let Action::Transition(note) = action else {
        return None;
    };
    match note {
        Transition::Finished => Some(Outcome::Complete),
        Transition::TurnedBack => Some(Outcome::TurnedBack),
        Transition::Begun { .. } => Some(Outcome::Superseded),
        Transition::Failed { back: true, .. } => Some(Outcome::Failed),
        Transition::Answered {
            answer: Answer::Aborted(_),
            ..
        } => Some(Outcome::Aborted),
        _ => None,
    }
}

fn remember(status: &mut ChamberClusterStatus, outcome: Outcome, now: Timestamp) {
    let Some(rollover) = status.rollover.clone() else {
        return;
    };
    let ended = RolloverRecord {
        from: rollover.from.map(|from| from.revision),
        to: rollover.to.revision,
        started_at: rollover.started_at,
        ended_at: Time(now),
        outcome: outcome.to_string(),
    };
    status.history.insert(0, ended);
    status.history.truncate(HISTORY);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollover::Release;

    fn release(revision: &str) -> Release {
        Release {
            image: revision.into(),
            measurement: Measurement::image(Pcr::from_bytes([1; 48])),
            revision: revision.into(),
            generation: 1,
        }
    }

    fn note(status: &mut ChamberClusterStatus, note: Transition, second: i64) {
        acted(
            status,
            &Action::Transition(note),
            Timestamp::from_second(second).unwrap(),
        );
    }

    #[test]
    fn a_rollover_is_begun_admitted_retired_and_remembered() {
        let mut status = ChamberClusterStatus::default();
        note(
            &mut status,
            Transition::Begun {
                from: None,
                to: release("one"),
                found: BTreeMap::new(),
                number: 1,
            },
            1,
        );
        note(&mut status, Transition::Admitted, 2);
        note(&mut status, Transition::RetireBegun, 3);
        let rollover = status.rollover.as_ref().unwrap();
        assert_eq!(rollover.admitted_at.as_ref().unwrap().0.as_second(), 2);
        assert_eq!(rollover.progressed_at.0.as_second(), 3);
        note(&mut status, Transition::Finished, 4);
        assert_eq!(status.rollover, None);
        assert_eq!(status.current.as_ref().unwrap().revision, "one");
        assert_eq!(status.history[0].outcome, "Complete");
        assert_eq!(status.rollovers, 1);
    }

    #[test]
    fn turning_back_ends_one_rollover_and_begins_another_without_its_times() {
        let mut status = ChamberClusterStatus::default();
        note(
            &mut status,
            Transition::Begun {
                from: Some(release("one")),
                to: release("two"),
                found: BTreeMap::new(),
                number: 1,
            },
            1,
        );
        note(&mut status, Transition::RetireBegun, 2);
        note(&mut status, Transition::TurnedBack, 3);
        let rollover = status.rollover.as_ref().unwrap();
        assert_eq!(rollover.to.revision, "one");
        assert_eq!(rollover.retire_begun_at, None);
        assert_eq!(status.history[0].outcome, "TurnedBack");
    }

    #[test]
    fn that_a_release_attested_outlives_its_rollover() {
        let mut status = ChamberClusterStatus::default();
        let begun = |to: &str, number| Transition::Begun {
            from: None,
            to: release(to),
            found: BTreeMap::new(),
            number,
        };
        note(&mut status, begun("one", 1), 1);
        note(&mut status, Transition::Attested("one".into()), 2);
        note(&mut status, Transition::Finished, 3);
        note(&mut status, begun("two", 2), 4);
        assert_eq!(status.attested_release.as_deref(), Some("one"));
        assert_eq!(read(&status).attested.as_deref(), Some("one"));
        // An older operator, or a lost status: nothing is known of it.
        assert_eq!(read(&ChamberClusterStatus::default()).attested, None);
    }

    #[test]
    fn the_history_stays_short() {
        let mut status = ChamberClusterStatus::default();
        for second in 0..20_i64 {
            note(
                &mut status,
                Transition::Begun {
                    from: None,
                    to: release("one"),
                    found: BTreeMap::new(),
                    number: second.unsigned_abs() + 1,
                },
                second,
            );
            note(&mut status, Transition::Finished, second);
        }
        assert_eq!(status.history.len(), HISTORY);
        assert_eq!(status.history[0].started_at.0.as_second(), 19);
    }
}
