//! A revoked image leaves every policy at once, even if chambers run it, and never comes back.

use measurement::{Measurement, Pcr};

use crate::admit::{key_write, sound};
use crate::{
    Action, KeyFacts, KeyState, KeyWrite, Look, Plan, Share, Step, World, claim, ownership, tags,
    takeover,
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
    match ownership::write(world, STEP, &writes)? {
        plan @ Plan::Act { .. } => Some(plan),
        _ => None,
    }
}

/// The names of keys that still admit a revoked image, though it should have left them.
pub fn left(world: &World) -> Vec<&str> {
    let admits = |(share, facts): &(&Share, &KeyFacts)| {
        let images = images(share, facts);
        images.iter().any(|image| world.revoked(image))
    };
    let left = world.facts().filter(admits);
    left.map(|(share, _)| share.name.as_str()).collect()
}

fn images(share: &Share, facts: &KeyFacts) -> Vec<Pcr> {
    let policy = facts.policy.as_ref().ok();
    let found = policy.and_then(|policy| key_policy::found(policy, &share.template).ok());
    let images = found.into_iter().flat_map(|found| found.image_sha384);
    images.filter_map(|image| Pcr::parse(&image).ok()).collect()
}

/// The same policy without the revoked images; none where it admits no such image.
fn without_revoked(world: &World, share: &Share, facts: &KeyFacts) -> Option<KeyWrite> {
    let policy = facts.policy.as_ref().ok()?;
    let images = images(share, facts);
    if !images.iter().any(|image| world.revoked(image)) {
        return None;
    }
    // What stays is a release that is known, even where status was lost: its registers are needed, too.
    let known: Vec<_> = known(world, share).collect();
    let revoked = images.iter().filter(|image| world.revoked(image));
    let named: Vec<_> = known
        .iter()
        .cloned()
        .chain(revoked.map(|image| Measurement::image(*image)))
        .collect();
    let theirs = takeover::theirs(world, share, policy, &named);
    let stays = |measurement: &Measurement| {
        let image = &measurement.image_sha384;
        images.contains(image) && !world.revoked(image)
    };
    let stays: Vec<Measurement> = known.into_iter().chain(theirs).filter(stays).collect();
    key_write(share, facts, |_| stays.clone()).ok().flatten()
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
    let mut all: Vec<Measurement> = Vec::new();
    for measurement in recorded.chain(others.map(|release| release.measurement.clone())) {
        if !all.contains(&measurement) {
            all.push(measurement);
        }
    }
    // What is said of an image with fewer registers is said better elsewhere; alone it would take pins away.
    let vaguer = |one: &Measurement, than: &Measurement| {
        one.image_sha384 == than.image_sha384
            && one.registers.len() < than.registers.len()
            && one
                .registers
                .iter()
                .all(|(at, pcr)| than.register(*at) == Some(pcr))
    };
    let best: Vec<_> = all
        .iter()
        .filter(|one| !all.iter().any(|other| vaguer(one, other)))
        .cloned()
        .collect();
    best.into_iter()
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
