//! Step 1, Measure: the target is known, and everything that a rollover will need is sound.

use crate::keys::{self, healthy};
use crate::{
    Action, Blob, Look, Metrics, Note, Plan, Reason, Release, Step, World, origin, tags, takeover,
};

const STEP: Step = Step::Measure;

/// Begins a rollover to the spec's release, once nothing speaks against it.
pub fn next(world: &World, current: Option<&Release>) -> Plan {
    if let Some(plan) = healthy(world, STEP).or_else(|| revoked(world)) {
        return plan;
    }
    let found = match takeover::next(world, current) {
        Ok(found) => found,
        Err((reason, message)) => return Plan::block(STEP, reason, message),
    };
    blob(world, current)
        .or_else(|| prometheus(world))
        .unwrap_or_else(|| {
            let begun = Note::Begun {
                from: current.cloned(),
                to: world.spec.release.clone(),
                found,
                number: 1 + world
                    .record
                    .rollovers
                    .max(tags::furthest(world).map_or(0, |(number, _)| number)),
            };
            Plan::act(STEP, Action::Note(begun))
        })
}

/// A revoked image is never admitted again.
fn revoked(world: &World) -> Option<Plan> {
    let release = &world.spec.release;
    world.revoked(&release.measurement.image_sha384).then(|| {
        let message = format!(
            "spec.release.measurement.imageSha384 of release {} was revoked: name another release",
            release.revision
        );
        Plan::block(STEP, Reason::MeasurementRevoked, message)
    })
}

/// A cluster that was sealed still has a blob to unseal from.
fn blob(world: &World, current: Option<&Release>) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    let target = world.spec.release.measurement.id();
    let ids = current.map(|release| release.measurement.id());
    let found = ids
        .iter()
        .chain([&target])
        .find_map(|id| world.blobs.get(id));
    match found {
        Some(Blob::Sound { commitment }) => origin::foreign(world, STEP, commitment),
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, Reason::BlobMismatch, why.clone())),
        None => lost(world, STEP),
    }
}

/// Sealed before and no blob: never a new seal.
pub fn lost(world: &World, step: Step) -> Option<Plan> {
    let tagged = keys::tagged_commitment(world)
        .map(|(name, _)| format!("key {name} carries its commitment"));
    let recorded = world
        .record
        .commitment
        .as_ref()
        .map(|_| "status holds its commitment".to_owned());
    let current = world
        .record
        .current
        .as_ref()
        .map(|_| "a release is recorded as running".to_owned());
    let evidence = tagged.or(recorded).or(current)?;
    let message = format!(
        "the master key was sealed before ({evidence}), but its sealed Secret is gone. Restore the Secret from your copy; it is never sealed anew"
    );
    Some(Plan::block(step, Reason::BlobLost, message))
}

/// What Verify will ask can be asked.
fn prometheus(world: &World) -> Option<Plan> {
    match &world.metrics {
        None => Some(Plan::Look(Look::Metrics {
            window: world.spec.soak_time,
        })),
        Some(Metrics::Unavailable(why)) => Some(Plan::block(
            STEP,
            Reason::PrometheusUnavailable,
            format!(
                "spec.verification.prometheus.url: {why}. Nothing is rolled while Verify could not be answered"
            ),
        )),
        Some(Metrics::Known { .. }) => None,
    }
}
