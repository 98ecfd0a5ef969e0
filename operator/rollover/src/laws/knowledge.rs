//! Laws 6 and 7: nothing is done on what is not known, and nothing is done for nothing.

use crate::{Action, Chamber, Failing, Key, KeyWrite, Reading, Transition, World};

use super::usable::was_verified;

/// Law 6: a release is not called failed for what says nothing about it, and no action rests on the keys while one of them is unknown.
pub fn unknown_means_stop(world: &World, action: &Action) -> Result<(), String> {
    if let Action::Transition(Transition::Failed { .. }) = action {
        return something_was_seen(world);
    }
    let rests = match action {
        // What is revoked or left behind goes from the keys that can be reached.
        Action::WritePolicies(writes) => !narrows(world, writes),
        Action::Transition(
            Transition::RetireBegun
            | Transition::Admitted
            | Transition::Finished
            | Transition::Recovered { .. },
        )
        | Action::StartSeal(_)
        | Action::StoreBlob(_)
        | Action::BindBlob { .. } => true,
        // What was verified on every key may be started again with as many as it needs (law 1 counts them).
        Action::Resize(resizes) => resizes
            .iter()
            .any(|resize| resize.to > resize.from && !was_verified(world, &resize.release)),
        _ => false,
    };
    if !rests {
        return Ok(());
    }
    for Key { share, reading } in world.keys() {
        match reading {
            Reading::Unread => return Err(format!("key {} was not read", share.name)),
            Reading::Failed { .. } if !share.accepted_at_risk => {
                return Err(format!("key {} could not be read", share.name));
            }
            Reading::Failed { .. } | Reading::Facts(_) => {}
        }
    }
    Ok(())
}

/// Of a target that was not revoked, a chamber that is sealed has been on a node.
fn something_was_seen(world: &World) -> Result<(), String> {
    let target = world.record.rollover.iter().map(|rollover| &rollover.to);
    let mut judged = target.filter(|target| !world.revoked(&target.measurement.image_sha384));
    let set = judged.find_map(|target| world.set(&target.revision));
    let chambers = set.into_iter().flat_map(|set| &set.chambers);
    let mut sealed = chambers.filter(|chamber| !chamber.serves()).peekable();
    let roomless = |chamber: &Chamber| matches!(chamber.failing, Some(Failing::Unschedulable(_)));
    if sealed.peek().is_some() && sealed.all(roomless) {
        return Err(
            "no node has room for the chambers that are sealed: that says nothing about the release"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether the writes only take images away, for a revocation or a deletion.
pub fn narrows(world: &World, writes: &[KeyWrite]) -> bool {
    let excused = !world.record.revoked.is_empty() || world.spec.deletion.is_some();
    excused
        && writes.iter().all(|write| {
            let Some(share) = world.share(&write.arn) else {
                return false;
            };
            let images = |policy| key_policy::admitted(policy, &share.template);
            match (images(&write.expected), images(&write.policy)) {
                (Ok(before), Ok(after)) => after.image_sha384.is_subset(&before.image_sha384),
                _ => false,
            }
        })
}

/// Law 7: an action changes something; a settled world has none.
pub fn replanning_is_harmless(_: &World, action: &Action) -> Result<(), String> {
    let idle = match action {
        Action::WritePolicies(writes) => {
            writes.is_empty()
                || writes
                    .iter()
                    .any(|write| write.policy.equivalent(&write.expected))
        }
        Action::Resize(resizes) => {
            resizes.is_empty() || resizes.iter().any(|resize| resize.from == resize.to)
        }
        Action::ClaimKeys { arns, .. }
        | Action::TagCommitment { arns, .. }
        | Action::TagRevoked { arns, .. } => arns.is_empty(),
        Action::RemoveSets(names) => names.is_empty(),
        Action::Fence(fences) => fences.is_empty(),
        _ => false,
    };
    if idle {
        return Err("the action would change nothing".to_owned());
    }
    Ok(())
}
