//! Status as the planner's record.

use std::collections::BTreeMap;

use chamber_api::{ChamberClusterStatus, FoundStatus, KeyWriteStatus, RolloverStatus};
use measurement::{Measurement, Pcr};
use rollover::{Failure, PersistedState, Phase, Rollover, Verbs, Written};

use crate::release;

/// What only status knows. What cannot be read back counts as unknown.
pub fn read(status: &ChamberClusterStatus) -> PersistedState {
    let rollover = status.rollover.as_ref().and_then(|rollover| {
        Some(Rollover {
            from: match &rollover.from {
                Some(from) => Some(release::of_status(from)?),
                None => None,
            },
            to: release::of_status(&rollover.to)?,
            found: found(&rollover.found)?,
            phase: phase(rollover),
            progressed_at: rollover.progressed_at.0,
        })
    });
    PersistedState {
        current: status.current.as_ref().and_then(release::of_status),
        rollover,
        rollovers: u64::try_from(status.rollovers).unwrap_or_default(),
        commitment: status.commitment.clone(),
        attested: status.attested_release.clone(),
        failure: status.failure.as_ref().map(|failure| Failure {
            revision: failure.revision.clone(),
            why: failure.message.clone(),
        }),
        revoked: status
            .revoked
            .iter()
            .filter_map(|image| Pcr::parse(image).ok())
            .collect(),
        written: status.key_writes.iter().map(written).collect(),
        ended_at: status.history.first().map(|ended| ended.ended_at.0),
        handled: Verbs {
            abort: status.verbs.abort.clone(),
            retry: status.verbs.retry.clone(),
            revoke: status.verbs.revoke.clone(),
            unrevoke: status.verbs.unrevoke.clone(),
            transfer: status.verbs.transfer.clone(),
        },
    }
}

fn phase(rollover: &RolloverStatus) -> Phase {
    match (&rollover.retire_begun_at, &rollover.admitted_at) {
        (Some(since), _) => Phase::Retiring { since: since.0 },
        (None, Some(at)) => Phase::Admitted { at: at.0 },
        (None, None) => Phase::Admitting,
    }
}

fn written(write: &KeyWriteStatus) -> (String, Written) {
    let written = Written {
        content: write.content.clone(),
        put_right: write.put_right.iter().map(|time| time.0).collect(),
    };
    (write.arn.clone(), written)
}

/// By ARN; `None` where one cannot be read back: what it admits must not be lost.
fn found(found: &[FoundStatus]) -> Option<BTreeMap<String, Measurement>> {
    let each = found.iter().map(|found| {
        let measurement = release::measurement(&found.measurement, "status").ok()?;
        Some((found.arn.clone(), measurement))
    });
    each.collect()
}
