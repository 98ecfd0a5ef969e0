//! The claim comes before every write, in every state.

use crate::claim::{Claim, anothers, claim_of, conflict, is_ours, proves_retire};
use crate::tags::{self, Progress};
use crate::{
    Action, ClaimObstacle, KeyFacts, KeyObstacle, KeyState, KeyWrite, Obstacle, Phase, Plan,
    Rollover, Share, Step, World, keys,
};

/// A key with what was read of it.
type Pair<'a> = (&'a Share, &'a KeyFacts);

/// Tags the managed keys that take part as this cluster's, and with the number of the rollover; `None` where all are.
///
/// A first claim counts at once. A tag that was lost is put back only where the policy is what this cluster wrote
/// last, and the key is then left alone for [`tags::HEALING`].
pub fn admit(world: &World, step: Step) -> Option<Plan> {
    let progress = (world.record.rollovers, false);
    tag(world, step, &Marks::of(progress, None), |_, facts| {
        !is_ours(world, facts) || tags::progress_of(&facts.tags) < Some(progress)
    })
}

/// The same, and for which measurement the others are retired: from then on the only way is forward. Where one key says
/// so, one that refuses its tags is waited for by nobody.
pub fn retire(world: &World, step: Step, rollover: &Rollover) -> Option<Plan> {
    let progress = (world.record.rollovers, true);
    let stays = tags::retired_for(&rollover.to.measurement);
    let proves = |facts: &KeyFacts| {
        is_ours(world, facts) && proves_retire(facts, world.record.rollovers, rollover)
    };
    let marks = Marks::of(progress, Some(stays));
    let ordered = tag(world, step, &marks, |_, facts| !proves(facts));
    let mut taking_part = world
        .facts()
        .filter(|(share, facts)| share.managed && keys::takes_part(share, facts));
    let said = taking_part.any(|(_, facts)| proves(facts));
    let ordered = ordered.filter(|plan| !(said && matches!(plan, Plan::Wait { .. })));
    ordered.or_else(|| {
        // A key that takes no part loses the old measurement, too, and says so before: nobody waits for its tags.
        let aside = |(share, facts): &Pair<'_>| {
            share.managed
                && !keys::takes_part(share, facts)
                // KMS takes no tag for a key that is pending deletion.
                && facts.state == KeyState::Other("Disabled".to_owned())
                && claim_of(world, facts) == Claim::Ours
                && conflict(world, share, facts).is_none()
                && !proves(facts)
        };
        let keys: Vec<Pair<'_>> = world.facts().filter(aside).collect();
        order_claim(world, step, &marks, &keys)
    })
}

/// The keys say which measurement was left before the rollover ends: a way back that needs no status. A key that takes
/// no tag now is waited for by nobody.
pub fn left(world: &World, step: Step, rollover: &Rollover) -> Option<Plan> {
    let stays = tags::retired_for(&rollover.to.measurement);
    let unmarked = |(share, facts): &Pair<'_>| {
        share.managed
            && facts.state == KeyState::Enabled
            && claim_of(world, facts) == Claim::Ours
            && !proves_retire(facts, world.record.rollovers, rollover)
    };
    let keys: Vec<Pair<'_>> = world.facts().filter(unmarked).collect();
    // A rollover that ends has retired, also where no policy had anything to lose.
    let marks = Marks::of((world.record.rollovers, true), Some(stays));
    order_claim(world, step, &marks, &keys)
}

/// Puts back what managed keys have lost, while nothing is in flight; `None` where all carry this cluster's tag.
pub fn heal(world: &World, step: Step) -> Option<Plan> {
    // A key that is ours, and refuses what was added to the claim since, is waited for by nobody.
    let added = |share: &Share, facts: &KeyFacts| {
        !facts.tags.contains_key(tags::NAMESPACE_UID) && !world.refuses(&share.arn)
    };
    tag(world, step, &Marks::now(world), |share, facts| {
        !is_ours(world, facts) || added(share, facts)
    })
}

/// What a claim writes beside the owner.
struct Marks {
    progress: Progress,
    retired_for: Option<String>,
}

impl Marks {
    fn of(progress: Progress, retired_for: Option<String>) -> Self {
        Self {
            progress,
            retired_for,
        }
    }

    /// As far as it is proven: status alone must not become a tag.
    fn now(world: &World) -> Self {
        let rollover = world.record.rollover.as_ref();
        let retiring = rollover.filter(|rollover| world.retires(rollover));
        let retires = rollover.is_none() || retiring.is_some();
        Self {
            progress: (world.record.rollovers, retires),
            retired_for: retiring.map(|rollover| tags::retired_for(&rollover.to.measurement)),
        }
    }
}

fn tag(
    world: &World,
    step: Step,
    marks: &Marks,
    unmarked: impl Fn(&Share, &KeyFacts) -> bool,
) -> Option<Plan> {
    let keys: Vec<Pair<'_>> = world
        .facts()
        .filter(|(share, facts)| share.managed && keys::takes_part(share, facts))
        .filter(|(share, facts)| unmarked(share, facts) && conflict(world, share, facts).is_none())
        .collect();
    let refusing = keys.iter().map(|(share, _)| *share);
    let lost = |key: &&Pair<'_>| !is_ours(world, key.1) && !claimable(world, key);
    let lost = keys
        .iter()
        .find(|key| lost(key) && !world.refuses(&key.0.arn));
    lost.map(|(share, _)| not_claimed(step, share))
        .or_else(|| order_claim(world, step, marks, &keys))
        .or_else(|| refused(world, step, refusing))
}

/// Orders the writes whose keys are this cluster's to write; the others are claimed first, or it is said what stops them.
pub fn write(world: &World, step: Step, writes: &[KeyWrite]) -> Option<Plan> {
    order(world, step, writes, conflict)
}

/// The same for what rests on a person's word and the keys alone: a status that is older than the keys stops none of it.
pub fn write_whatever_status_knows(world: &World, step: Step, writes: &[KeyWrite]) -> Option<Plan> {
    order(world, step, writes, anothers)
}

fn order(
    world: &World,
    step: Step,
    writes: &[KeyWrite],
    conflict: impl Fn(&World, &Share, &KeyFacts) -> Option<Obstacle>,
) -> Option<Plan> {
    let of = |write: &KeyWrite| world.facts().find(|(share, _)| share.arn == write.arn);
    let keys: Vec<Pair<'_>> = writes.iter().filter_map(of).collect();
    let nobodys = keys.iter().copied();
    let nobodys: Vec<_> = nobodys
        .filter(|(_, facts)| claim_of(world, facts) == Claim::Nobodys)
        .collect();
    let may = |arn: &str| {
        !world.refuses_policy(arn)
            && keys.iter().any(|(share, facts)| {
                share.arn == arn
                    && claim_of(world, facts) == Claim::Ours
                    && conflict(world, share, facts).is_none()
            })
    };
    let ready = writes.iter().filter(|write| may(&write.arn));
    let ready: Vec<_> = ready.cloned().collect();
    let refusing = keys.iter().map(|(share, _)| *share);
    order_claim(world, step, &Marks::now(world), &nobodys)
        .or_else(|| (!ready.is_empty()).then(|| Plan::act(step, Action::WritePolicies(ready))))
        .or_else(|| stopped(world, step, &keys))
        .or_else(|| refused(world, step, refusing))
}

/// Tags those of the keys that may be; lost tags first, so that a key that is left alone waits beside the others.
fn order_claim(world: &World, step: Step, marks: &Marks, keys: &[Pair<'_>]) -> Option<Plan> {
    let may = |key: &&Pair<'_>| {
        !world.refuses(&key.0.arn) && (is_ours(world, key.1) || claimable(world, key))
    };
    let is_lost = |key: &&Pair<'_>| was_claimed(world) && !is_ours(world, key.1);
    let (lost, first): (Vec<&Pair<'_>>, Vec<_>) = keys.iter().filter(may).partition(is_lost);
    let healed_at = (!lost.is_empty()).then_some(world.now);
    let those = if lost.is_empty() { first } else { lost };
    let arns: Vec<_> = those.iter().map(|(share, _)| share.arn.clone()).collect();
    (!arns.is_empty()).then(|| {
        Plan::act(
            step,
            Action::ClaimKeys {
                arns,
                progress: marks.progress,
                retired_for: marks.retired_for.clone(),
                healed_at,
            },
        )
    })
}

/// Whether a key that carries nobody's tag may be tagged.
fn claimable(world: &World, (share, facts): &Pair<'_>) -> bool {
    claim_of(world, facts) == Claim::Nobodys
        && (!was_claimed(world) || wrote_last(world, share, facts))
}

/// What stops the first of these keys from being written.
fn stopped(world: &World, step: Step, keys: &[Pair<'_>]) -> Option<Plan> {
    let obstacle = |(share, facts): &Pair<'_>| {
        if let Some(found) = conflict(world, share, facts) {
            return Some(Plan::block(step, found));
        }
        match claim_of(world, facts) {
            Claim::Nobodys if !world.refuses(&share.arn) => Some(not_claimed(step, share)),
            Claim::Healing(until) => {
                let healing = ClaimObstacle::Healing(share.name.clone(), until);
                Some(Plan::wait_until(step, healing, Some(until)))
            }
            _ => None,
        }
    };
    let mut found: Vec<_> = keys.iter().filter_map(obstacle).collect();
    // A wait ends by itself, and then the others are looked at again.
    found.sort_by_key(|plan| matches!(plan, Plan::Block { .. }));
    found.into_iter().next()
}

/// The wait for keys that refuse what changes them.
fn refused<'a>(world: &World, step: Step, shares: impl Iterator<Item = &'a Share>) -> Option<Plan> {
    let awaited = shares.filter(|share| !keys::dispensable(world, share));
    let refusals = awaited.filter_map(|share| world.refusal(&share.arn));
    let refusals: Vec<_> = refusals.cloned().collect();
    let until = refusals.iter().map(|refusal| refusal.until).min()?;
    let refuses = KeyObstacle::Refuses(refusals);
    Some(Plan::wait_until(step, refuses, Some(until)))
}

/// Whether the keys were claimed before, as far as status tells: their policies were written, or were about to be.
fn was_claimed(world: &World) -> bool {
    world.record.current.is_some()
        || world
            .record
            .rollover
            .as_ref()
            .is_some_and(|rollover| rollover.phase != Phase::Admitting)
}

/// Whether a policy is what this cluster may have written last: ours, and it admits no other image than the recorded ones.
fn wrote_last(world: &World, share: &Share, facts: &KeyFacts) -> bool {
    let Ok(policy) = &facts.policy else {
        return false;
    };
    let record = &world.record;
    let rollover = record.rollover.iter();
    let mut known: Vec<_> = rollover
        .flat_map(Rollover::live)
        .chain(
            record
                .current
                .iter()
                .map(|current| current.measurement.clone()),
        )
        .collect();
    let found = record
        .rollover
        .as_ref()
        .and_then(|r| r.found.get(&share.arn));
    known.extend(found.cloned());
    key_policy::admitted(policy, &share.template).is_ok()
        && keys::unknown(policy, &share.template, &known).is_empty()
}

fn not_claimed(step: Step, share: &Share) -> Plan {
    Plan::block(step, ClaimObstacle::Lost(share.into()))
}
