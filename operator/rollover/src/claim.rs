//! Whose a key is, as its tags, its policy and status tell.

use jiff::Timestamp;

use crate::tags::{self, Progress};
use crate::{ClaimObstacle, KeyFacts, Obstacle, Rollover, Share, World};

/// What a key's tags say of whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It carries this cluster's tag.
    Ours,
    /// It carries this cluster's tag again, and is left alone until then.
    Healing(Timestamp),
    /// It carries nobody's.
    Nobodys,
    /// It carries another owner's, or that of a namespace of this name that is gone.
    Anothers,
}

/// What a key's tags say of whose it is.
pub fn claim_of(world: &World, facts: &KeyFacts) -> Claim {
    let owner = &world.spec.owner;
    let namespace_uid = facts.tags.get(tags::NAMESPACE_UID);
    match facts.tags.get(tags::OWNER) {
        None => Claim::Nobodys,
        Some(tag) if *tag != owner.tag() => Claim::Anothers,
        Some(_) if namespace_uid.is_some_and(|uid| *uid != owner.namespace_uid) => Claim::Anothers,
        Some(_) => match tags::healing_until(&facts.tags) {
            Some(until) if world.now < until => Claim::Healing(until),
            _ => Claim::Ours,
        },
    }
}

/// Whether the key carries this cluster's tag.
pub fn is_ours(world: &World, facts: &KeyFacts) -> bool {
    matches!(claim_of(world, facts), Claim::Ours | Claim::Healing(_))
}

/// Whether a key's tags say that it is ours, and that a rollover has ended on it or retires there.
pub fn has_retired(world: &World, facts: &KeyFacts) -> bool {
    let progress = tags::progress_of(&facts.tags);
    is_ours(world, facts) && progress.is_some_and(|(number, retires)| number > 1 || retires)
}

/// Why a key is not this cluster's to write: another owner's tag, or one that is ahead of status.
pub fn conflict(world: &World, share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    anothers(world, share, facts).or_else(|| behind(world, share, facts))
}

/// Why a key is not this cluster's, whatever status knows.
pub fn anothers(world: &World, share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    if claim_of(world, facts) != Claim::Anothers {
        return None;
    }
    let owner = tags::owner_of(&facts.tags).unwrap_or_default();
    let anothers = ClaimObstacle::Anothers {
        key: share.into(),
        owner,
        ours: world.spec.owner.external_id(),
        cluster: world.spec.owner.name.clone(),
    };
    Some(anothers.into())
}

/// Status that knows less than a key was restored from a backup, or somebody wrote the key's tag: the key is not written.
fn behind(world: &World, share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    // With no record at all it is found out what is there, and recovered.
    if world.record.current.is_none() && world.record.rollover.is_none() {
        return None;
    }
    let known = tags::recorded(&world.record);
    // A rollover that leaves nothing behind ends with its tags, and then in status: such tags are of this one.
    let rollover = world.record.rollover.as_ref();
    let ending = rollover.filter(|rollover| !rollover.leaves_another());
    let is_known = |tagged: Progress| {
        tagged <= known
            || ending.is_some_and(|rollover| {
                tagged.0 == known.0 && proves_retire(facts, known.0, rollover)
            })
    };
    let ahead = tags::progress_of(&facts.tags)
        .filter(|tagged| is_ours(world, facts) && !is_known(*tagged))?;
    let ahead = ClaimObstacle::Ahead {
        key: share.name.clone(),
        known,
        tagged: ahead,
    };
    Some(ahead.into())
}

/// Whether a key's tags say that the others are retired for this rollover's target: an ended one of the same number does not.
pub fn proves_retire(facts: &KeyFacts, number: u64, rollover: &Rollover) -> bool {
    tags::progress_of(&facts.tags) >= Some((number, true))
        && facts.tags.get(tags::RETIRED_FOR) == Some(&tags::retired_for(&rollover.to.measurement))
}

/// The furthest progress that any key of this cluster carries.
pub fn furthest(world: &World) -> Option<Progress> {
    world
        .facts()
        .filter(|(_, facts)| is_ours(world, facts))
        .filter_map(|(_, facts)| tags::progress_of(&facts.tags))
        .max()
}
