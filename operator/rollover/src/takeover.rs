//! What the policies admit before a rollover begins: nothing that nobody named, but for what is taken over with its key.

use std::collections::BTreeMap;

use key_policy::Policy;
use measurement::{Measurement, Pcr};

use crate::{KeyFacts, KeyObstacle, Obstacle, Release, Share, World, claim, keys};

/// What single keys may keep until Retire, by ARN, once every policy is free of errors, of foreign denials
/// of the target, and of measurements that nobody recorded.
pub fn next(
    world: &World,
    current: Option<&Release>,
) -> Result<BTreeMap<String, Measurement>, Obstacle> {
    let target = &world.spec.release;
    let current = current.map(|release| &release.measurement);
    let mut kept = BTreeMap::new();
    for (share, facts) in world.facts() {
        let Ok(policy) = &facts.policy else { continue };
        let found = found(world, current, share, facts, policy)?;
        let live: Vec<_> = found
            .iter()
            .chain(current)
            .chain([&target.measurement])
            .cloned()
            .collect();
        // What the write mends is no fault, where it is certain what it would take away: what is left of others' statements counts.
        let certain = key_policy::found(policy, &share.template).is_ok();
        let written = certain.then(|| keys::wanted(share, policy, &live));
        let written = written.and_then(Result::ok);
        let policy = written.as_ref().unwrap_or(policy);
        if let Some(found) = keys::deleted_principal(policy, share) {
            return Err(found);
        }
        // What would lock out is said first, and with its own reason.
        if let Some(fault) = keys::denied(policy, share, target, current) {
            return Err(fault);
        }
        if let Some(found) = keys::unsound(policy, share) {
            return Err(found);
        }
        kept.extend(found.map(|found| (share.arn.clone(), found)));
    }
    Ok(kept)
}

/// The one measurement that a key may keep beside the target: found when it was taken over.
fn found(
    world: &World,
    current: Option<&Measurement>,
    share: &Share,
    facts: &KeyFacts,
    policy: &Policy,
) -> Result<Option<Measurement>, Obstacle> {
    let in_flight = world.record.rollover.as_ref();
    let kept = in_flight.and_then(|rollover| rollover.found.get(&share.arn));
    let left = in_flight.map(|rollover| &rollover.to.measurement);
    let named = current.into_iter().chain([&world.spec.release.measurement]);
    let known: Vec<_> = named.chain(left).cloned().collect();
    // What was revoked leaves with that, or is its holder's to take out: no release waits for it.
    let revoked = |image: &String| Pcr::parse(image).is_ok_and(|image| world.revoked(&image));
    let mut unknown = keys::unknown(policy, &share.template, &known);
    unknown.retain(|image| !revoked(image));
    let is_kept = |image: &str| kept.is_some_and(|kept| kept.image_sha384.to_string() == image);
    match unknown.as_slice() {
        [] => Ok(None),
        [image] if is_kept(image) && current.is_none() => Ok(kept.cloned()),
        // What this cluster ran before goes with the next write.
        _ if claim::is_ours(world, facts) && !is_new(world, share) && kept.is_none() => Ok(None),
        [image] if is_new(world, share) => match tuple(share, policy, image, &known) {
            Some(found) => Ok(Some(found)),
            None => Err(stranger(
                share,
                image,
                "its registers cannot be told from the target's",
            )),
        },
        [image] if share.adopt => Err(stranger(
            share,
            image,
            "with the current release and the target it would be the third",
        )),
        [image] => Err(stranger(
            share,
            image,
            "spec.keys.policy.adopt: true has the operator keep it on this key until Retire",
        )),
        [image, other, ..] => Err(stranger(share, image, &format!("and so is {other}"))),
    }
}

/// The key is taken over, and nothing is recorded yet: what it admits was somebody else's doing.
fn is_new(world: &World, share: &Share) -> bool {
    share.adopt && world.record.current.is_none() && world.record.rollover.is_none()
}

/// What a key admits that nobody named, while status knows nothing: it was there when the key was taken over.
pub fn theirs(
    world: &World,
    share: &Share,
    policy: &Policy,
    known: &[Measurement],
) -> Option<Measurement> {
    match keys::unknown(policy, &share.template, known).as_slice() {
        [image] if is_new(world, share) => tuple(share, policy, image, known),
        _ => None,
    }
}

fn tuple(
    share: &Share,
    policy: &Policy,
    image: &str,
    known: &[Measurement],
) -> Option<Measurement> {
    let admitted = key_policy::found(policy, &share.template).ok()?;
    key_policy::found_tuple(&admitted, &Pcr::parse(image).ok()?, known)
}

fn stranger(share: &Share, image: &str, why: &str) -> Obstacle {
    KeyObstacle::UnknownMeasurement(share.into(), image.to_owned(), why.to_owned()).into()
}
