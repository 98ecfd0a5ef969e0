//! Step 1, Measure: the target is known, and everything that a rollover will need is sound.

use crate::keys::{self, healthy};
use crate::{
    Action, Blob, BlobObstacle, Look, Metrics, Plan, Release, ReleaseObstacle, Step, Transition,
    VerifyObstacle, World, claim, manifest, origin, proven, seal, takeover, verify,
};

const STEP: Step = Step::Measure;

/// Begins a rollover to the spec's release, once nothing speaks against it.
pub fn next(world: &World, current: Option<&Release>) -> Plan {
    let release = &world.spec.release;
    if let Some(plan) = healthy(world, STEP).or_else(|| barred(world, release, STEP)) {
        return plan;
    }
    if let Some(found) = current.and_then(|current| proven::contradicted(world, current)) {
        return Plan::block(STEP, found);
    }
    let found = match takeover::next(world, current) {
        Ok(found) => found,
        Err(found) => return Plan::block(STEP, found),
    };
    blob(world, current)
        .or_else(|| manifest::unpinnable(world, STEP))
        .or_else(|| manifest::wanted(world, STEP))
        .or_else(|| prometheus(world))
        .unwrap_or_else(|| {
            let begun = Transition::Begun {
                from: current.cloned(),
                to: world.spec.release.clone(),
                found,
                number: claim::furthest(world)
                    .map_or(0, |(number, _)| number)
                    .max(world.record.rollovers)
                    .saturating_add(1),
            };
            Plan::act(STEP, Action::Transition(begun))
        })
}

/// A revoked image is never admitted again, whoever says that it was revoked.
pub fn barred(world: &World, release: &Release, step: Step) -> Option<Plan> {
    let image = &release.measurement.image_sha384;
    world.barred(image).then(|| {
        let said = world.bars(image).filter(|_| !world.revoked(image));
        let said = said.map(|share| share.name.clone());
        Plan::block(
            step,
            ReleaseObstacle::Barred(release.revision.clone(), said),
        )
    })
}

/// A cluster that was sealed still has a blob to unseal from.
fn blob(world: &World, current: Option<&Release>) -> Option<Plan> {
    if !world.spec.managed_sealing {
        return None;
    }
    let target = &world.spec.release;
    let mut bound_to = current.into_iter().chain([target]);
    let found = match bound_to.find_map(|release| world.blobs.get(&release.blob_id())) {
        Some(Blob::Sound { commitment }) => origin::foreign(world, STEP, commitment),
        Some(Blob::Unsound(why)) => Some(Plan::block(STEP, BlobObstacle::Unsound(why.clone()))),
        None => lost(world, STEP),
    };
    found.or_else(|| seal::unwrapped(world, STEP, current, target))
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
    let stored = world.blobs.keys().next();
    let stored = stored.map(|id| format!("a sealed Secret for measurement {id} is there"));
    let evidence = tagged.or(recorded).or(current).or(stored)?;
    Some(Plan::block(step, BlobObstacle::Lost(evidence)))
}

/// What Verify will ask can be asked.
fn prometheus(world: &World) -> Option<Plan> {
    match &world.metrics {
        None => Some(Plan::Look(Look::Metrics {
            window: world.spec.soak_time,
        })),
        Some(Metrics::Unavailable(why)) => {
            let waits = "Nothing is rolled while Verify could not be answered";
            let unavailable = VerifyObstacle::Unavailable(why.clone(), waits);
            Some(Plan::block(STEP, unavailable))
        }
        Some(Metrics::Deferred { until }) => Some(verify::deferred(STEP, *until)),
        Some(Metrics::Known { .. }) => None,
    }
}
