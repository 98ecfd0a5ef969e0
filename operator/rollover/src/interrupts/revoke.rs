//! A revoked image leaves every policy at once, even if chambers run it, and never comes back.

use key_policy::Policy;

use crate::admit::{key_write, sound};
use crate::{
    Action, AdmittedSet, KeyFacts, KeyState, KeyWrite, Look, Plan, Share, Step, World, claim, keys,
    ownership, tags,
};

const STEP: Step = Step::Retire;

/// Marks the keys with what is revoked, and takes it out of every policy that can be written.
///
/// What cannot be written now (another owner, a refusal, an error of others) keeps nothing else from going on.
pub fn next(world: &World) -> Option<Plan> {
    let verbs = &world.spec.verbs;
    if world.record.revoked.is_empty() && verbs.unrevoke.is_none() && !tagged(world) {
        return None;
    }
    if world.any_unread() {
        return Some(Plan::Look(Look::Keys));
    }
    mark(world).or_else(|| write(world))
}

fn tagged(world: &World) -> bool {
    world
        .facts()
        .any(|(_, facts)| tags::revoked(&facts.tags).next().is_some())
}

fn write(world: &World) -> Option<Plan> {
    let writes: Vec<_> = world
        .facts()
        .filter(|(share, _)| share.managed)
        .filter_map(|(share, facts)| without_revoked(world, share, facts))
        .filter(|write| sound(world, STEP, std::slice::from_ref(write)).is_none())
        .collect();
    match ownership::write_whatever_status_knows(world, STEP, &writes)? {
        plan @ Plan::Act { .. } => Some(plan),
        _ => None,
    }
}

/// The names of keys that still admit a revoked image, though it should have left them.
pub fn left(world: &World) -> Vec<&str> {
    let admits = |(share, facts): &(&Share, &KeyFacts)| {
        let policy = facts.policy.as_ref();
        policy.is_ok_and(|policy| admits_revoked(world, share, policy))
    };
    let left = world.facts().filter(admits);
    left.map(|(share, _)| share.name.as_str()).collect()
}

fn admits_revoked(world: &World, share: &Share, policy: &Policy) -> bool {
    let images = keys::images(share, policy);
    images.iter().any(|image| world.revoked(image))
}

/// The same policy without the revoked images; none where it admits no such image.
fn without_revoked(world: &World, share: &Share, facts: &KeyFacts) -> Option<KeyWrite> {
    let policy = facts.policy.as_ref().ok()?;
    if !admits_revoked(world, share, policy) {
        return None;
    }
    let set = AdmittedSet::without_revoked(world, share, policy);
    key_write(world, share, facts, |policy| set.for_key(share, policy))
        .ok()
        .flatten()
}

/// The keys know of it before a policy is touched, so that a lost status does not bring it back.
fn mark(world: &World) -> Option<Plan> {
    let mut marks: Vec<(&Share, Vec<String>)> = world
        .facts()
        // KMS takes no tag for a key that is pending deletion: it is marked when it is enabled again.
        .filter(|(share, facts)| {
            share.managed
                && facts.state == KeyState::Enabled
                && claim::is_ours(world, facts)
                && !world.refuses(&share.arn)
        })
        .filter_map(|(share, facts)| Some((share, wanted(world, facts)?)))
        .collect();
    let (_, images) = marks.first().cloned()?;
    marks.retain(|(_, other)| *other == images);
    let arns = marks.iter().map(|(share, _)| share.arn.clone()).collect();
    Some(Plan::act(STEP, Action::TagRevoked { arns, images }))
}

/// The revoked images that a key's tags should name; none where they do. What they name already stays, but for what was given up.
fn wanted(world: &World, facts: &KeyFacts) -> Option<Vec<String>> {
    let given_up = world.spec.verbs.given_up();
    let tagged: Vec<&str> = tags::revoked(&facts.tags).collect();
    let mut wanted: Vec<String> = tagged
        .iter()
        .filter(|prefix| !given_up.iter().any(|image| image.starts_with(**prefix)))
        .map(|prefix| (*prefix).to_owned())
        .collect();
    for image in &world.record.revoked {
        if world.revoked(image) && !tags::revokes(&facts.tags, image) {
            wanted.push(tags::prefix(image));
        }
    }
    wanted.truncate(tags::MOST_REVOKED);
    (wanted != tagged).then_some(wanted)
}
