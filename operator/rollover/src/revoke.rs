//! A revoked image leaves every policy at once, even if chambers run it, and never comes back.

use measurement::{Measurement, Pcr};

use crate::admit::{key_write, sound};
use crate::{
    Action, KeyFacts, KeyState, KeyWrite, Look, Plan, Share, Step, World, keys, tags, takeover,
};

const STEP: Step = Step::Retire;

/// Takes revoked images out of every policy that can be written, and marks the keys.
pub fn next(world: &World) -> Option<Plan> {
    if world.record.revoked.is_empty() {
        return None;
    }
    if world.any_unread() {
        return Some(Plan::Look(Look::Keys));
    }
    let writes: Vec<_> = world
        .facts()
        .filter(|(share, facts)| share.managed && keys::claimed(world, facts))
        .filter_map(|(share, facts)| without_revoked(world, share, facts))
        .collect();
    if !writes.is_empty() {
        return Some(
            sound(world, STEP, &writes)
                .unwrap_or_else(|| Plan::act(STEP, Action::WritePolicies(writes))),
        );
    }
    mark(world)
}

/// The same policy without the revoked images; none where it admits no such image.
fn without_revoked(world: &World, share: &Share, facts: &KeyFacts) -> Option<KeyWrite> {
    let policy = facts.policy.as_ref().ok()?;
    let admitted = key_policy::found(policy, &share.template).ok()?;
    let images: Vec<Pcr> = admitted
        .image_sha384
        .iter()
        .filter_map(|image| Pcr::parse(image).ok())
        .collect();
    if !images
        .iter()
        .any(|image| world.record.revoked.contains(image))
    {
        return None;
    }
    // What stays is a release that is known, even where status was lost: its registers are needed, too.
    let known: Vec<_> = known(world, share).collect();
    let theirs = takeover::theirs(world, share, policy, &known);
    let stays: Vec<Measurement> = known
        .into_iter()
        .chain(theirs)
        .filter(|measurement| images.contains(&measurement.image_sha384))
        .collect();
    let live = world.trusted(stays);
    key_write(share, facts, |_| live.clone()).ok().flatten()
}

/// The measurements that status (for this key, too), the chambers and the spec name, each image once.
fn known<'a>(world: &'a World, share: &'a Share) -> impl Iterator<Item = Measurement> + 'a {
    let rollover = world.record.rollover.iter();
    let recorded = rollover.flat_map(|rollover| {
        let found = rollover.found.get(&share.arn);
        found.into_iter().cloned().chain(rollover.live())
    });
    let current = world.record.current.iter();
    let sets = world.sets.iter().map(|set| &set.release);
    let others = current.chain(sets).chain([&world.spec.release]);
    let mut seen = Vec::new();
    recorded
        .chain(others.map(|release| release.measurement.clone()))
        .filter(move |measurement| {
            let new = !seen.contains(&measurement.image_sha384);
            if new {
                seen.push(measurement.image_sha384);
            }
            new
        })
}

/// The keys know of it, too, so that a lost status does not bring it back.
fn mark(world: &World) -> Option<Plan> {
    let images = &world.record.revoked;
    let unmarked = |facts: &KeyFacts| {
        images
            .iter()
            .any(|image| !facts.tags.contains_key(&tags::revoked(image)))
    };
    let arns: Vec<_> = world
        .facts()
        // KMS takes no tag for a key that is pending deletion: it is marked when it is enabled again.
        .filter(|(_, facts)| facts.state == KeyState::Enabled)
        .filter(|(share, facts)| share.managed && keys::claimed(world, facts) && unmarked(facts))
        .map(|(share, _)| share.arn.clone())
        .collect();
    (!arns.is_empty()).then(|| {
        let images = images.clone();
        Plan::act(STEP, Action::TagRevoked { arns, images })
    })
}
