//! Laws 1 and 5: who can decrypt enough shares, and for how long.

use measurement::Measurement;

use crate::{
    Action, FRESH, KeyFacts, KeyState, KeyWrite, Release, Resize, Rollover, Share, World, proven,
};

/// Law 1: what chambers run keeps `threshold` usable shares; nothing is started before every key agrees.
pub fn no_lock_out(world: &World, action: &Action) -> Result<(), String> {
    match action {
        Action::Resize(resizes) => starts_are_admitted(world, resizes),
        Action::WritePolicies(writes) => {
            fresh(world)?;
            running(world).into_iter().try_for_each(|measurement| {
                let before = usable(world, &[], measurement);
                let after = usable(world, writes, measurement);
                if after >= world.spec.threshold.min(before) {
                    return Ok(());
                }
                Err(format!(
                    "chambers run {}, and only {after} of {} needed shares would stay usable",
                    measurement.image_sha384, world.spec.threshold
                ))
            })
        }
        _ => Ok(()),
    }
}

/// Law 5: the release before keeps `threshold` usable shares until the intent to retire it is recorded.
pub fn return_stays_possible(world: &World, action: &Action) -> Result<(), String> {
    let (Action::WritePolicies(writes), Some(rollover)) = (action, &world.record.rollover) else {
        return Ok(());
    };
    if world.spec.deletion.is_some() {
        return somebody_stays(world, rollover, writes);
    }
    what_was_found_stays(world, rollover, writes)?;
    let given_up = world.retires(rollover);
    let mut ways_back = ways_back(world, rollover).filter(|_| !given_up);
    ways_back.try_for_each(|measurement| {
        let before = usable(world, &[], measurement);
        let after = usable(world, writes, measurement);
        if after >= world.spec.threshold.min(before) {
            return Ok(());
        }
        Err(format!(
            "{} would keep {after} of {} needed shares, and that Retire has begun is not recorded",
            measurement.image_sha384, world.spec.threshold
        ))
    })
}

/// A deletion takes one of two measurements out of the policies, and not both; one that was revoked may go, too.
fn somebody_stays(world: &World, rollover: &Rollover, writes: &[KeyWrite]) -> Result<(), String> {
    let target = Some(&rollover.to.measurement);
    let target = target.filter(|measurement| !world.revoked(&measurement.image_sha384));
    let enough = |writes: &[KeyWrite]| {
        let mut known = ways_back(world, rollover).chain(target);
        known.any(|measurement| usable(world, writes, measurement) >= world.spec.threshold)
    };
    if !enough(&[]) || enough(writes) {
        return Ok(());
    }
    Err("the policies would admit nobody any more, because the resource is deleted".to_owned())
}

/// What a key admitted when it was taken over may run somewhere: it is retired with the others, not before.
fn what_was_found_stays(
    world: &World,
    rollover: &Rollover,
    writes: &[KeyWrite],
) -> Result<(), String> {
    let given_up = world.retires(rollover);
    let lost = writes.iter().filter(|_| !given_up).find(|write| {
        let found = rollover.found.get(&write.arn);
        let (Some(found), Some(share)) = (found, world.share(&write.arn)) else {
            return false;
        };
        !world.revoked(&found.image_sha384)
            && key_policy::decrypts(&write.expected, &share.template, found)
            && !key_policy::decrypts(&write.policy, &share.template, found)
    });
    match lost {
        None => Ok(()),
        Some(write) => Err(format!(
            "the policy for key {} would lose what it admitted when it was taken over, and that Retire has begun is not recorded",
            write.name
        )),
    }
}

/// The measurements that must stay usable until they are given up: of the release that the keys' tags say was left last;
/// without such tags, of the release before and of the one that ran last (on a return they are two). None that was revoked.
pub fn ways_back<'a>(
    world: &'a World,
    rollover: &'a Rollover,
) -> impl Iterator<Item = &'a Measurement> {
    let tagged = proven::tagged_as_left(world).next().is_some();
    let recorded = rollover.from.iter().chain(&world.record.current);
    let releases = recorded.filter(move |_| !tagged);
    releases
        .chain(proven::left_last(world, rollover))
        .map(|release| &release.measurement)
        .filter(|measurement| !world.revoked(&measurement.image_sha384))
}

fn starts_are_admitted(world: &World, resizes: &[Resize]) -> Result<(), String> {
    for start in resizes.iter().filter(|resize| resize.to > resize.from) {
        fresh(world)?;
        let usable = usable(world, &[], &start.release.measurement);
        let accepted = world
            .spec
            .shares
            .iter()
            .filter(|share| share.accepted_at_risk)
            .count();
        let rollover = world.record.rollover.as_ref();
        let pressing = rollover.is_some_and(|rollover| world.leaves_revoked(rollover));
        let needed = if pressing || was_verified(world, &start.release) {
            world.spec.threshold
        } else {
            (world.spec.shares.len() - accepted).max(world.spec.threshold)
        };
        if usable < needed {
            return Err(format!(
                "release {} would be started while {usable} of {needed} keys admit it",
                start.release.revision,
            ));
        }
    }
    Ok(())
}

/// Whether every chamber of a release was verified on every key: it may be started again with as many as it needs.
pub fn was_verified(world: &World, release: &Release) -> bool {
    match &world.record.rollover {
        None => world.record.current.as_ref() == Some(release),
        Some(rollover) => rollover.to == *release && world.retires(rollover),
    }
}

fn fresh(world: &World) -> Result<(), String> {
    if world.keys_fresh(FRESH) {
        return Ok(());
    }
    Err(format!("the keys were not read within the last {FRESH:#}"))
}

/// The measurements that chambers run or may restart into; one that was revoked has lost that right.
pub fn running(world: &World) -> Vec<&Measurement> {
    world
        .sets
        .iter()
        .filter(|set| set.runs())
        .map(|set| &set.release.measurement)
        .filter(|measurement| !world.revoked(&measurement.image_sha384))
        .collect()
}

/// Shares whose key is enabled and whose policy, as it would be after `writes`, lets the measurement decrypt.
fn usable(world: &World, writes: &[KeyWrite], measurement: &Measurement) -> usize {
    world
        .facts()
        .filter(|(share, facts)| usable_key(share, facts, writes, measurement))
        .count()
}

fn usable_key(
    share: &Share,
    facts: &KeyFacts,
    writes: &[KeyWrite],
    measurement: &Measurement,
) -> bool {
    let written = writes.iter().find(|write| write.arn == share.arn);
    let policy = match (written, &facts.policy) {
        (Some(write), _) => &write.policy,
        (None, Ok(policy)) => policy,
        (None, Err(_)) => return false,
    };
    facts.state == KeyState::Enabled && key_policy::decrypts(policy, &share.template, measurement)
}
