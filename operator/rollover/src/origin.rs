//! Whose a stored blob is.

use crate::{Blob, BlobObstacle, Plan, SealPod, Step, World, tags};

/// Why a stored blob is not to be used: its commitment is not that of status, of each key's tag and of every other
/// blob, or nothing shows that this cluster ever sealed.
///
/// Secrets have no owner (law 11), so what is in them must be proven by something that is not in them.
pub fn foreign(world: &World, step: Step, commitment: &str) -> Option<Plan> {
    let mut known = Vec::new();
    if let Some(recorded) = &world.record.commitment {
        known.push(("status".to_owned(), recorded));
    }
    for (share, facts) in world.facts() {
        if let Some(tag) = facts.tags.get(tags::COMMITMENT) {
            known.push((format!("the tag of key {}", share.name), tag));
        }
    }
    for (id, blob) in &world.blobs {
        if let Blob::Sound { commitment } = blob {
            known.push((format!("the Secret for measurement {id}"), commitment));
        }
    }
    if let Some((who, other)) = known.iter().find(|(_, other)| *other != commitment) {
        let two = BlobObstacle::TwoMasterKeys {
            commitment: commitment.to_owned(),
            who: who.clone(),
            other: (*other).clone(),
        };
        return Some(Plan::block(step, two));
    }
    let stored = |who: &str| who.starts_with("the Secret");
    let ours = world.record.current.is_some()
        || known.iter().any(|(who, _)| !stored(who))
        || matches!(&world.seal_pod, SealPod::Offers { commitment: offered } if offered == commitment);
    (!ours).then(|| Plan::block(step, BlobObstacle::NotOurs(commitment.to_owned())))
}
