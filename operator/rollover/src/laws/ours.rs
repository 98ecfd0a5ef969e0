//! Law 12: nothing that is not ours.

use measurement::Measurement;

use crate::{Action, Blob, Object, SealPod, Transition, World, blob_id, tags};

/// No blob is stored without a seal of ours, no commitment is taken from a Secret and no chamber is started on one that
/// does not agree with status, the keys and the other blobs, and no `ReplicaSet` is made over another one, or from what another release is made of.
pub fn nothing_that_is_not_ours(world: &World, action: &Action) -> Result<(), String> {
    match action {
        Action::StoreBlob(_) => match &world.seal_pod {
            SealPod::Offers { .. } => Ok(()),
            other => Err(format!(
                "no seal pod of this cluster offers a blob: {other:?}"
            )),
        },
        Action::TagCommitment { commitment, .. }
        | Action::Transition(Transition::Committed(commitment)) => agreed(world, commitment),
        Action::BindBlob {
            from, generation, ..
        } => sound(world, from, *generation),
        Action::StartSeal(_) if world.seal_pod != SealPod::Absent => Err(format!(
            "a pod of the seal pod's name is there: {:?}",
            world.seal_pod
        )),
        Action::Resize(resizes) => {
            let starts = resizes.iter().filter(|resize| resize.to > resize.from);
            starts
                .filter(|_| world.spec.managed_sealing)
                .try_for_each(|start| {
                    sound(world, &start.release.measurement, start.release.generation)
                })
        }
        Action::MakeSet(release) => {
            let revision = &release.revision;
            if world.spec.release.revision != *revision && !world.templates.contains(revision) {
                return Err(format!(
                    "the ReplicaSet of {revision} would be made from another release's template"
                ));
            }
            let taken = Object::ReplicaSet {
                revision: release.revision.clone(),
            };
            match world.objects.iter().find(|found| found.object == taken) {
                Some(problem) => Err(problem.message.clone()),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// The blob for a measurement is there, and of the one master key.
fn sound(world: &World, measurement: &Measurement, generation: u32) -> Result<(), String> {
    match world.blobs.get(&blob_id(measurement, generation)) {
        Some(Blob::Sound { commitment }) => agreed(world, commitment),
        _ => Err(format!(
            "no sound blob for {} is there",
            measurement.image_sha384
        )),
    }
}

/// Status, every key that says one, and every blob say this commitment.
fn agreed(world: &World, commitment: &str) -> Result<(), String> {
    let recorded = world.record.commitment.iter();
    let tagged = world
        .facts()
        .filter_map(|(_, facts)| facts.tags.get(tags::COMMITMENT));
    let stored = world.blobs.values().filter_map(|blob| match blob {
        Blob::Sound { commitment } => Some(commitment),
        Blob::Unsound(_) => None,
    });
    match recorded
        .chain(tagged)
        .chain(stored)
        .find(|other| *other != commitment)
    {
        Some(other) => Err(format!(
            "the commitments {commitment} and {other} are of two master keys"
        )),
        None => Ok(()),
    }
}
