//! What must be true of every key, whatever the step.

use key_policy::{Finding, NotOurs, Policy, RuleId, Severity, Template};
use measurement::{Measurement, Pcr};
use sha2::{Digest, Sha256};

use crate::{
    Key, KeyFacts, KeyObstacle, KeyState, Look, Obstacle, Plan, Reading, Release, Share, Step,
    World, claim, tags,
};

/// Stops at the first key that is not readable, enabled, ours, and a policy of the five statements.
pub fn healthy(world: &World, step: Step) -> Option<Plan> {
    for Key { share, reading } in world.keys() {
        let facts = match reading {
            Reading::Unread => return Some(Plan::Look(Look::Keys)),
            Reading::Failed { .. } if share.accepted_at_risk => continue,
            Reading::Failed {
                reason, message, ..
            } => return Some(Plan::block(step, Obstacle::reported(*reason, message))),
            Reading::Facts(facts) => facts,
        };
        if let Some(found) = fault(world, share, facts) {
            return Some(Plan::block(step, found));
        }
    }
    None
}

/// Why a key that was read cannot be used, or is not this cluster's to write.
pub fn fault(world: &World, share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    state_fault(share, facts)
        .or_else(|| claim::conflict(world, share, facts))
        .or_else(|| policy_fault(world, share, facts))
}

/// Keys that are enabled and whose policy lets a measurement decrypt.
pub fn usable(world: &World, measurement: &Measurement) -> usize {
    let keys = world.facts();
    keys.filter(|(share, facts)| opens(share, facts, measurement))
        .count()
}

/// Whether a key is enabled, and its policy lets a measurement decrypt.
pub fn opens(share: &Share, facts: &KeyFacts, measurement: &Measurement) -> bool {
    let policy = facts.policy.as_ref();
    facts.state == KeyState::Enabled
        && policy.is_ok_and(|policy| key_policy::decrypts(policy, &share.template, measurement))
}

/// Why a release could not decrypt with a key that takes part, although statement 3 admits it: the first Deny that
/// keeps it out, or may.
pub fn closed_to(world: &World, release: &Release) -> Option<Obstacle> {
    let mut keys = world
        .facts()
        .filter(|(share, facts)| takes_part(share, facts));
    keys.find_map(|(share, facts)| denied(facts.policy.as_ref().ok()?, share, release, None))
}

/// The first Deny of a policy that keeps a release from decrypting, or may.
pub fn denied(
    policy: &Policy,
    share: &Share,
    release: &Release,
    current: Option<&Measurement>,
) -> Option<Obstacle> {
    let denial = key_policy::foreign_deny(policy, &share.template, &release.measurement, current)?;
    let (key, revision) = (share.into(), release.revision.clone());
    let denied = KeyObstacle::Denied {
        key,
        denial,
        revision,
    };
    Some(denied.into())
}

/// Whether a key takes part now: it can be used, or nobody accepted that it cannot.
pub fn takes_part(share: &Share, facts: &KeyFacts) -> bool {
    facts.state == KeyState::Enabled || !share.accepted_at_risk
}

/// Whether nobody waits for what a key does not do: the spec accepts that it is at risk, and it goes without those it
/// accepts. Before Retire the others open enough for the target; afterwards too few are left that admit another image.
pub fn dispensable(world: &World, share: &Share) -> bool {
    share.accepted_at_risk && goes_without(world)
}

fn goes_without(world: &World) -> bool {
    let (threshold, rollover) = (world.spec.threshold, world.record.rollover.as_ref());
    if let Some(open) = rollover.filter(|rollover| !world.retires(rollover)) {
        let sure = |(share, facts): &(&Share, &KeyFacts)| {
            !share.accepted_at_risk || opens(share, facts, &open.to.measurement)
        };
        return world.facts().filter(sure).count() >= threshold;
    }
    let stays = rollover.map(|rollover| &rollover.to);
    let stays = stays.or(world.record.current.as_ref());
    let admits_others = |key: &Key<'_>| {
        let may = match key.reading {
            Reading::Unread => false,
            // Who cannot be asked may say anything.
            Reading::Failed { .. } => true,
            Reading::Facts(facts) => {
                let alone =
                    |release: &Release| admits_alone(key.share, facts, &release.measurement);
                may_admit(key.share, facts) && !stays.is_some_and(alone)
            }
        };
        key.share.accepted_at_risk && may
    };
    world.keys().filter(admits_others).count() < threshold
}

/// Whether a key's policy admits an image, or cannot be read for certain.
fn may_admit(share: &Share, facts: &KeyFacts) -> bool {
    let Ok(policy) = &facts.policy else {
        return true;
    };
    key_policy::found(policy, &share.template).is_err()
        || images(share, policy).iter().any(|image| !image.is_nobody())
}

fn state_fault(share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    let KeyState::Other(state) = &facts.state else {
        return None;
    };
    if share.accepted_at_risk {
        return None;
    }
    Some(KeyObstacle::NotEnabled(share.into(), state.clone()).into())
}

fn policy_fault(world: &World, share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    let policy = match &facts.policy {
        Ok(policy) => policy,
        Err(why) => {
            return Some(KeyObstacle::Unparsable(share.into(), why.clone()).into());
        }
    };
    if let Some(found) = other_role(world, share, facts) {
        return Some(found);
    }
    let fault = if share.managed && share.adopt {
        key_policy::found(policy, &share.template).err()?
    } else if share.managed && claim::is_ours(world, facts) {
        // Our own roles were deleted: the next write names them anew. Without our tag they may be another cluster's.
        key_policy::projects(policy, &share.template).err()?
    } else {
        key_policy::admitted(policy, &share.template).err()?
    };
    let not_ours = KeyObstacle::NotOurs {
        key: share.into(),
        fault,
        cluster: world.spec.owner.name.clone(),
        adoptable: share.managed && !share.adopt,
    };
    Some(not_ours.into())
}

/// A key that says a rollover of this cluster ended on it, and whose policy names another role: the spec has another
/// account now, or the policy is another cluster's. Nobody takes it over.
pub fn other_role(world: &World, share: &Share, facts: &KeyFacts) -> Option<Obstacle> {
    if !claim::has_retired(world, facts) {
        return None;
    }
    let policy = facts.policy.as_ref().ok()?;
    match key_policy::admitted(policy, &share.template) {
        Err(NotOurs::ForeignRole { found, expected }) => Some(
            KeyObstacle::OtherRole {
                key: share.into(),
                found,
                expected,
            }
            .into(),
        ),
        _ => None,
    }
}

/// The policy that a key needs in place of the one that was found.
pub fn wanted(share: &Share, found: &Policy, live: &[Measurement]) -> Result<Policy, NotOurs> {
    if adopts(share, found) {
        key_policy::found(found, &share.template)?;
        return Ok(key_policy::adopt(found, &share.template, live));
    }
    key_policy::project(found, &share.template, live)
}

/// Digest of what this cluster's own statements say where these measurements are admitted, hex.
pub fn content(template: &Template, live: &[Measurement]) -> String {
    let own = template.render(live).canonical_text();
    hex::encode(&Sha256::digest(own.as_bytes())[..16])
}

/// Whether a policy is taken over, rather than projected: it is not as the template has it, and the spec allows it.
pub fn adopts(share: &Share, found: &Policy) -> bool {
    share.managed
        && share.adopt
        && (key_policy::admitted(found, &share.template).is_err()
            || unsound(found, share).is_some())
}

/// Whether a policy admits exactly these measurements.
pub fn in_sync(policy: &Policy, template: &Template, live: &[Measurement]) -> bool {
    key_policy::holds(policy, template, live).unwrap_or(false)
}

/// Whether a key, as read, admits exactly these measurements.
pub fn admits_exactly(share: &Share, facts: &KeyFacts, live: &[Measurement]) -> bool {
    let policy = facts.policy.as_ref();
    policy.is_ok_and(|policy| in_sync(policy, &share.template, live))
}

/// Whether a key, as read, admits this measurement and no other image, in whichever profile.
pub fn admits_alone(share: &Share, facts: &KeyFacts, measurement: &Measurement) -> bool {
    let Ok(policy) = &facts.policy else {
        return false;
    };
    let image = measurement.image_sha384.to_string();
    let alone = |found: key_policy::Admitted| found.image_sha384.into_iter().eq([image]);
    key_policy::admitted(policy, &share.template).is_ok_and(alone)
        && key_policy::admits(policy, &share.template, measurement) == Ok(true)
}

/// The `ImageSha384` values that a policy admits but that are not among `known`.
pub fn unknown(policy: &Policy, template: &Template, known: &[Measurement]) -> Vec<String> {
    let Ok(admitted) = key_policy::found(policy, template) else {
        return Vec::new();
    };
    let known: Vec<_> = known.iter().map(|m| m.image_sha384.to_string()).collect();
    admitted
        .image_sha384
        .into_iter()
        .filter(|found| !known.contains(found))
        .collect()
}

/// The images that a policy admits, ours or one that is taken over; none where it is neither.
pub fn images(share: &Share, policy: &Policy) -> Vec<Pcr> {
    let found = key_policy::found(policy, &share.template).into_iter();
    let images = found.flat_map(|found| found.image_sha384);
    images.filter_map(|image| Pcr::parse(&image).ok()).collect()
}

/// Why KMS would refuse a policy: a statement of it names a principal that was deleted.
pub fn deleted_principal(policy: &Policy, share: &Share) -> Option<Obstacle> {
    let deleted = key_policy::deleted_principals(policy).into_iter().next()?;
    let found = KeyObstacle::DeletedPrincipal {
        key: share.into(),
        statement: deleted.statement.clone(),
        id: deleted.id.clone(),
    };
    Some(found.into())
}

/// The first error that the lint finds.
pub fn unsound(policy: &Policy, share: &Share) -> Option<Obstacle> {
    let error = errors(policy, share).next()?;
    Some(KeyObstacle::Unsound(share.into(), error.into()).into())
}

/// The first error that was not there before, or with which KMS would refuse the policy, or nobody could mend it.
pub fn unsound_since(before: &Policy, after: &Policy, share: &Share) -> Option<Obstacle> {
    let known: Vec<_> = errors(before, share).map(|error| error.rule).collect();
    let fatal = |rule| match rule {
        RuleId::TooLarge => true,
        RuleId::MissingBreakGlass => !key_policy::administrators_keep(after, &share.template),
        _ => false,
    };
    let error =
        errors(after, share).find(|error| fatal(error.rule) || !known.contains(&error.rule))?;
    Some(KeyObstacle::Unsound(share.into(), error.into()).into())
}

fn errors(policy: &Policy, share: &Share) -> impl Iterator<Item = Finding> {
    key_policy::lint(policy, &share.template)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
}

/// The commitment that any key carries, with the key's name.
pub fn tagged_commitment(world: &World) -> Option<(String, String)> {
    world.facts().find_map(|(share, facts)| {
        let commitment = facts.tags.get(tags::COMMITMENT)?;
        Some((share.name.clone(), commitment.clone()))
    })
}
