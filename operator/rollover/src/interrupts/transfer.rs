//! A person moves keys from one owner to this one: a namespace made anew, a restore from backup, another cluster.

use crate::claim::{Claim, claim_of, is_ours};
use crate::{
    Action, Answer, KeyFacts, KeyObstacle, Look, Plan, Reading, Share, Step, Transition, Verb,
    World, tags,
};

/// Tags the keys that carry exactly the named owner's tags as this cluster's, once; then it is answered.
///
/// A resource that bindings refuse, or whose keys an older one claims, does not come so far.
pub fn next(world: &World) -> Option<Plan> {
    let from = asked(world)?;
    if world.any_unread() {
        return Some(Plan::Look(Look::Keys));
    }
    let theirs: Vec<_> = theirs(world, from).map(|(share, _)| &share.arn).collect();
    if theirs.is_empty() {
        return Some(act(world, Action::Transition(answered(world, from))));
    }
    let mut arns = theirs.iter().copied().cloned().collect::<Vec<_>>();
    arns.retain(|arn| !world.refuses(arn));
    if arns.is_empty() {
        return refused(world, &theirs);
    }
    let from = from.clone();
    Some(act(world, Action::TransferKeys { arns, from }))
}

/// The wait for keys that all refuse to be tagged.
fn refused(world: &World, arns: &[&String]) -> Option<Plan> {
    let refusals = arns.iter().filter_map(|arn| world.refusal(arn));
    let refusal = refusals.min_by_key(|refusal| refusal.until)?;
    let refuses = KeyObstacle::Refuses(vec![refusal.clone()]);
    Some(Plan::wait_until(step(world), refuses, Some(refusal.until)))
}

/// The owner that is named and not answered yet; nothing moves in a pause or a dry run.
fn asked(world: &World) -> Option<&String> {
    let from = world.spec.verbs.transfer.as_ref()?;
    let waits = world.spec.paused || world.spec.dry_run;
    (!waits && world.record.handled.transfer.as_ref() != Some(from)).then_some(from)
}

fn theirs<'a>(
    world: &'a World,
    from: &'a String,
) -> impl Iterator<Item = (&'a Share, &'a KeyFacts)> {
    world.facts().filter(move |(share, facts)| {
        share.managed
            && claim_of(world, facts) == Claim::Anothers
            && tags::owner_of(&facts.tags).as_ref() == Some(from)
    })
}

fn answered(world: &World, from: &str) -> Transition {
    let named = |key: (&Share, &KeyFacts)| key.0.name.clone();
    let managed = world.facts().filter(|(share, _)| share.managed);
    let ours = managed.filter(|(_, facts)| is_ours(world, facts));
    let keys: Vec<_> = ours.map(named).collect();
    let failed = |key: &crate::Key<'_>| matches!(key.reading, Reading::Failed { .. });
    let unread = world.keys().filter(failed);
    let unread: Vec<_> = unread.map(|key| key.share.name.clone()).collect();
    let others = world.facts().filter(|(share, _)| share.managed);
    let others = others.filter(|(_, facts)| claim_of(world, facts) == Claim::Anothers);
    let others: Vec<_> = others
        .map(|(share, facts)| {
            let owner = tags::owner_of(&facts.tags).unwrap_or_default();
            (share.name.clone(), owner)
        })
        .collect();
    let answer = if keys.is_empty() {
        Answer::Refused(format!(
            "no Managed key that can be read has the tags of {from}: the message of KeyOwnedByAnother names the owner as it has to be written"
        ))
    } else {
        Answer::Transferred {
            keys,
            unread,
            others,
        }
    };
    Transition::Answered {
        verb: Verb::Transfer,
        token: from.to_owned(),
        answer,
    }
}

fn act(world: &World, action: Action) -> Plan {
    Plan::act(step(world), action)
}

fn step(world: &World) -> Step {
    let rollover = world.record.rollover.as_ref();
    rollover.map_or(Step::Settled, Step::of)
}
