//! Step 1, Measure: the target is known, and everything that a rollover will need is sound.

use crate::keys::{self, healthy};
use crate::{Action, Blob, Look, Metrics, Note, Plan, Reason, Release, Step, World, tags};

const STEP: Step = Step::Measure;

/// Begins a rollover to the spec's release, once nothing speaks against it.
pub fn next(world: &World, current: Option<&Release>) -> Plan {
    healthy(world, STEP)
        .or_else(|| revoked(world))
        .or_else(|| policies(world, current))
        .or_else(|| blob(world, current))
        .or_else(|| prometheus(world))
        .unwrap_or_else(|| {
            let begun = Note::Begun {
                from: current.cloned(),
                to: world.spec.release.clone(),
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

/// Every policy is free of errors, of foreign denials of the target, and of measurements that nobody recorded.
fn policies(world: &World, current: Option<&Release>) -> Option<Plan> {
    let target = &world.spec.release.measurement;
    let current = current.map(|release| &release.measurement);
    let known: Vec<_> = current.into_iter().chain([target]).cloned().collect();
    for (share, facts) in world.facts() {
        let Ok(policy) = &facts.policy else { continue };
        if let Some(message) = keys::unsound(policy, share) {
            return Some(Plan::block(STEP, Reason::PolicyUnsound, message));
        }
        if let Some(sid) = key_policy::foreign_deny(policy, &share.template, target, current) {
            let message = format!(
                "the policy of key {} ({}) has the foreign Deny `{sid}`, which would keep release {} from decrypting. Remove it or except the enclave role from it",
                share.name, share.arn, world.spec.release.revision
            );
            return Some(Plan::block(STEP, Reason::ForeignDeny, message));
        }
        let unknown = keys::unknown(policy, &share.template, &known);
        if let (false, Some(found)) = (keys::claimed(world, facts), unknown.first()) {
            let message = format!(
                "the policy of key {} ({}) admits {found}, which is neither the target nor a release that this cluster ran. Remove it from statement AllowChamberEnclaveDecryptWithAttestation",
                share.name, share.arn
            );
            return Some(Plan::block(STEP, Reason::UnknownMeasurement, message));
        }
    }
    None
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
        Some(Blob::Sound { .. }) => None,
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
