//! Whether what the operator stops for is there: a stop without a cause leaves a cluster to nobody.

use rollover::Reason;

use crate::environment::opens;
use crate::setup::Setup;
use crate::state::{Answers, Images, Key, Owned, Prometheus, RELEASES, Record, Seal, Set, State};
use crate::violation::Violation;

/// The operator stops, or waits for what nothing ends by itself.
///
/// # Errors
///
/// Nothing of the kind is there.
pub fn check(setup: &Setup, state: &State, reason: Reason) -> Result<(), Violation> {
    if stands(setup, state, reason) {
        return Ok(());
    }
    let message = format!("stops for {reason}, and nothing of the kind is there");
    Err(Violation::of(0, message))
}

fn stands(setup: &Setup, state: &State, reason: Reason) -> bool {
    let keys = &state.keys[..setup.size.keys];
    match reason {
        Reason::Paused => state.asked.paused,
        Reason::KeyNotEnabled => keys.iter().any(|key| key.disabled),
        Reason::KeyOwnedByAnother => keys.iter().any(|key| key.owner == Owned::Theirs),
        Reason::ClaimLost => keys.iter().any(|key| key.owner == Owned::Nobody),
        Reason::StatusBehindKeys => keys.iter().any(|key| is_ahead(state, key)),
        Reason::KeyRefusesWrite => keys.iter().any(|key| key.full),
        Reason::PolicyDependsOnUnknown => keys.iter().any(|key| key.fenced),
        Reason::UnknownMeasurement => {
            let known = named(state);
            keys.iter().any(|key| key.stored & !known != 0)
        }
        Reason::PolicyConflict => setup.size.flips,
        // One from a backup beside chambers of a later release looks as if somebody had written it.
        Reason::StatusForged => setup.size.forged || state.lied || runs_unrecorded(state),
        Reason::UnexpectedChambers => {
            setup.size.forged || state.record.current.is_none() || several(state)
        }
        Reason::TemplateLost => named(state) & !state.templates & !(1 << state.asked.release) != 0,
        Reason::MeasurementRevoked => {
            let admitted = keys.iter().fold(0, |all, key| all | key.stored);
            (named(state) | admitted) & barred(state, keys) != 0
        }
        Reason::ReleaseFailed => {
            let lie = state.answers == Answers::OneLies;
            state.record.failure.is_some() || lie || closed(setup, state)
        }
        Reason::BlobLost => !setup.size.external && named(state) & !state.blobs != 0,
        Reason::BlobMismatch => state.alien != 0,
        Reason::NotOurs => {
            // A seal that nothing remembers: status, or the pod, was lost before anything was committed to it.
            let forgotten = state.record == Record::default() || state.seal == Seal::Absent;
            let unproven = state.blobs != 0 && !state.sealed && forgotten;
            state.alien != 0 || state.seal == Seal::Foreign || unproven
        }
        Reason::SealFailed => matches!(state.seal, Seal::Stuck | Seal::Failed),
        Reason::NodeLost => state
            .pods()
            .any(|pod| pod.leaving.is_some_and(|age| age > 0)),
        Reason::ChamberUnschedulable => state.pods().any(|pod| !pod.placed),
        Reason::ChamberSealed | Reason::ChambersNotReady => closed(setup, state),
        Reason::PrometheusUnavailable => state.prometheus == Prometheus::Down,
        Reason::MetricsInconclusive => {
            let silent = matches!(state.prometheus, Prometheus::Stale | Prometheus::Absent);
            // Nothing proves a release that has no chambers.
            silent || state.pods().next().is_none()
        }
        Reason::AttestationRefused => state.answers == Answers::OneLies,
        Reason::AttestationMissing => state.answers == Answers::OneSilent,
        Reason::AwaitingKeyHolder => setup.size.silent != 0,
        _ => false,
    }
}

/// Images of releases that status names.
fn recorded(state: &State) -> Images {
    let rollover = state.record.rollover.iter();
    let recorded = rollover.flat_map(|one| one.from.into_iter().chain([one.to]));
    let recorded = recorded.chain(state.record.current);
    recorded.fold(0, |all, release| all | 1 << release)
}

/// Images of releases that status or the spec names.
fn named(state: &State) -> Images {
    recorded(state) | 1 << state.asked.release
}

fn runs_unrecorded(state: &State) -> bool {
    let recorded = recorded(state);
    (0..RELEASES).any(|release| state.runs(release) && recorded & (1 << release) == 0)
}

/// What anybody calls revoked: one key's word may stop that an image is admitted.
fn barred(state: &State, keys: &[Key]) -> Images {
    let tagged = keys.iter().fold(0, |all, key| all | key.revoked);
    tagged | state.record.revoked | state.asked.revoke
}

fn is_ahead(state: &State, key: &Key) -> bool {
    let retires = state.record.rollover.as_ref().is_none_or(|one| one.retires);
    key.progress > Some((state.record.rollovers, retires))
}

fn several(state: &State) -> bool {
    (0..RELEASES).filter(|release| state.runs(*release)).count() > 1
}

/// A sealed chamber that cannot unseal.
fn closed(setup: &Setup, state: &State) -> bool {
    (0..RELEASES).any(|release| {
        let sealed = |set: &Set| set.pods.iter().any(|pod| pod.unsealed.is_none());
        state.sets[release].as_ref().is_some_and(sealed) && !opens(setup, state, release)
    })
}
