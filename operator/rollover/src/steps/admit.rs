//! Step 2, Admit: every key's policy holds the old and the new measurement, and the blob is bound for the new one.

use key_policy::Policy;
use measurement::Measurement;

use crate::claim::{Claim, claim_of};
use crate::keys::{self, takes_part};
use crate::{
    Action, AdmittedSet, ChamberObstacle, KeyFacts, KeyObstacle, KeyWrite, Obstacle, Phase, Plan,
    Rollover, Set, Share, Step, Transition, VerifyObstacle, World, measure, ownership, proven,
    roll, seal,
};

const STEP: Step = Step::Admit;

/// What Admit still needs; `None` when it is done.
pub fn next(world: &World, rollover: &Rollover) -> Option<Plan> {
    if world.retires(rollover) {
        return None;
    }
    let set = AdmittedSet::both(world, rollover);
    let before = proven::before(world, rollover).into_iter();
    // What was revoked is in no policy: its chambers that still serve are replaced in Roll, as any old ones.
    let revoked = world.sets.iter().map(|set| &set.release);
    let revoked = revoked.filter(|release| world.revoked(&release.measurement.image_sha384));
    let kept = before
        .chain(proven::left_last(world, rollover))
        .chain(revoked);
    let keep: Vec<_> = kept
        .chain([&rollover.to])
        .map(|release| release.revision.as_str())
        .collect();
    unknown_chambers(world, rollover)
        .or_else(|| roll::clear(world, &keep, STEP))
        .or_else(|| hold_deletion(world, rollover))
        .or_else(|| barred(world, rollover))
        .or_else(|| everywhere(world, rollover, &set))
        .or_else(|| admitted(rollover))
        .or_else(|| seal::bind(world, rollover))
        .or_else(|| settle(world, rollover))
        .or_else(|| seal::next(world, rollover))
}

/// Every key agrees. Where the release before was revoked its chambers open nothing any more: then no key holds up the
/// others, and as many as chambers need are enough to go on.
fn everywhere(world: &World, rollover: &Rollover, set: &AdmittedSet) -> Option<Plan> {
    let plans: [&dyn Fn() -> Option<Plan>; 3] = [
        &|| ownership::admit(world, STEP),
        &|| write(world, rollover, set),
        &|| ask(world, STEP, set, Extent::AtLeast),
    ];
    let pressing = world.leaves_revoked(rollover);
    let mut stopped = None;
    for plan in plans.iter().filter_map(|plan| plan()) {
        match plan {
            Plan::Wait { .. } | Plan::Block { .. } if pressing => stopped = stopped.or(Some(plan)),
            plan => return Some(plan),
        }
    }
    let enough = keys::usable(world, &rollover.to.measurement) >= world.spec.threshold;
    stopped.filter(|_| !enough)
}

/// A first start has no chambers before it: those that serve prove that there was one, and are not stopped for it.
fn unknown_chambers(world: &World, rollover: &Rollover) -> Option<Plan> {
    let first = rollover.from.is_none() && world.record.current.is_none();
    let others = |set: &&Set| set.release != rollover.to && set.unsealed() > 0;
    let set = world.sets.iter().filter(|_| first).find(others)?;
    let found = ChamberObstacle::BeforeTheFirst {
        target: rollover.to.revision.clone(),
        set: set.name.clone(),
        revision: set.release.revision.clone(),
    };
    Some(Plan::block(STEP, found))
}

/// From the first write on, policies hold two measurements: a deletion must leave one.
fn hold_deletion(world: &World, rollover: &Rollover) -> Option<Plan> {
    (rollover.leaves_another() && !world.finalizer).then(|| Plan::act(STEP, Action::AddFinalizer))
}

/// A key that says that the target was revoked keeps it out of every key: a person must look.
fn barred(world: &World, rollover: &Rollover) -> Option<Plan> {
    let target = &rollover.to.measurement;
    let admitted_everywhere = world.facts().all(|(share, facts)| {
        let policy = facts.policy.as_ref();
        policy.is_ok_and(|policy| admits_all(policy, share, std::slice::from_ref(target)))
    });
    (!admitted_everywhere)
        .then(|| measure::barred(world, &rollover.to, STEP))
        .flatten()
}

/// Writes the managed policies that do not hold exactly what they are to admit.
fn write(world: &World, rollover: &Rollover, set: &AdmittedSet) -> Option<Plan> {
    let plan = write_all(world, STEP, set)?;
    match (&plan, rollover.phase) {
        (Plan::Act { .. }, Phase::Admitted { .. }) if !world.leaves_revoked(rollover) => Some(
            Plan::act(STEP, Action::Transition(Transition::AdmissionLost)),
        ),
        _ => Some(plan),
    }
}

/// The write that makes every managed policy hold exactly its set, or what speaks against it; `None` when all do.
///
/// Admit writes what is sound on every key. Later a key that cannot be written holds up itself alone: the old image
/// leaves the others.
pub fn write_all(world: &World, step: Step, set: &AdmittedSet) -> Option<Plan> {
    let (writes, unprojected) = projections(world, step, set);
    let mut stopped: Vec<Plan> = unprojected
        .into_iter()
        .map(|found| Plan::block(step, found))
        .collect();
    let admits = step == STEP;
    if admits && !stopped.is_empty() {
        return stopped.into_iter().next();
    }
    let (mut ready, mut flipping) = (Vec::new(), Vec::new());
    for write in writes {
        let plan = refused(world, step, &write);
        let alone = || sound(world, step, std::slice::from_ref(&write)).filter(|_| !admits);
        if let Some(plan) = plan.or_else(alone) {
            stopped.push(plan);
        } else if world.record.flips(&write.arn, world.now) {
            flipping.push(write);
        } else {
            ready.push(write);
        }
    }
    sound(world, step, &ready)
        .filter(|_| admits)
        .or_else(|| ownership::write(world, step, &ready))
        .or_else(|| stopped.into_iter().next())
        .or_else(|| conflict(step, &flipping))
}

/// Whose policies something else changes back again and again: that is not fought.
fn conflict(step: Step, flipping: &[KeyWrite]) -> Option<Plan> {
    let names: Vec<_> = flipping.iter().map(|write| write.name.clone()).collect();
    (!names.is_empty()).then(|| Plan::block(step, KeyObstacle::Conflict(names)))
}

/// What KMS would refuse for ever is not sent.
fn refused(world: &World, step: Step, write: &KeyWrite) -> Option<Plan> {
    let found = keys::deleted_principal(&write.policy, world.share(&write.arn)?)?;
    Some(Plan::block(step, found))
}

/// Stops at a policy that KMS would refuse. Stops Admit at the first policy that would have an error, and every other step at one that it would itself add:
/// an error of others must not keep an old measurement in.
pub fn sound(world: &World, step: Step, writes: &[KeyWrite]) -> Option<Plan> {
    if let Some(plan) = writes.iter().find_map(|write| refused(world, step, write)) {
        return Some(plan);
    }
    let found = writes.iter().find_map(|write| {
        let share = world.share(&write.arn)?;
        if step == STEP {
            keys::unsound(&write.policy, share)
        } else {
            keys::unsound_since(&write.expected, &write.policy, share)
        }
    })?;
    Some(Plan::block(step, found))
}

fn admitted(rollover: &Rollover) -> Option<Plan> {
    let note = Action::Transition(Transition::Admitted);
    (rollover.phase == Phase::Admitting).then(|| Plan::act(STEP, note))
}

/// Reading a policy back proves that it is stored, not that Decrypt enforces it everywhere yet.
fn settle(world: &World, rollover: &Rollover) -> Option<Plan> {
    if !rollover.changes_measurement() {
        return None;
    }
    let Phase::Admitted { at } = rollover.phase else {
        return None;
    };
    let until = at.checked_add(world.spec.settle_time).ok()?;
    let settling = VerifyObstacle::Settling(until);
    (world.now < until).then(|| Plan::wait_until(STEP, settling, Some(until)))
}

/// The writes of a step, for the keys that take part. A key that is disabled opens nothing today, but what Retire leaves in its
/// policy opens again with it: it is written, too, and waited for where too many of them would open the old image.
fn projections(world: &World, step: Step, set: &AdmittedSet) -> (Vec<KeyWrite>, Vec<Obstacle>) {
    let (mut writes, mut unprojected) = (Vec::new(), Vec::new());
    for (share, facts) in world.facts().filter(|(share, _)| share.managed) {
        let awaited = !keys::dispensable(world, share);
        let is_late = match step {
            Step::Retire => true,
            Step::Settled => awaited,
            _ => false,
        };
        if !takes_part(share, facts) && !is_late {
            continue;
        }
        let nobody_waits = !awaited && step == Step::Retire;
        match key_write(world, share, facts, |policy| set.for_key(share, policy)) {
            // What goes wrong with a key that nobody waits for holds up no other one.
            Ok(write) if nobody_waits => {
                writes.extend(write.filter(|one| goes_through(world, step, facts, one)));
            }
            Ok(write) => writes.extend(write),
            Err(_) if nobody_waits => {}
            Err(found) => unprojected.push(found),
        }
    }
    (writes, unprojected)
}

/// Whether nothing that is known speaks against a write.
fn goes_through(world: &World, step: Step, facts: &KeyFacts, write: &KeyWrite) -> bool {
    // A claim that settles ends by itself.
    matches!(claim_of(world, facts), Claim::Ours | Claim::Healing(_))
        && !world.record.flips(&write.arn, world.now)
        && sound(world, step, std::slice::from_ref(write)).is_none()
}

/// The write that makes one policy hold exactly what is live; none where it does.
pub fn key_write(
    world: &World,
    share: &Share,
    facts: &KeyFacts,
    live: impl Fn(&Policy) -> Vec<Measurement>,
) -> Result<Option<KeyWrite>, Obstacle> {
    let Ok(found) = &facts.policy else {
        return Ok(None);
    };
    if let Some(other) = keys::other_role(world, share, facts) {
        return Err(other);
    }
    let live = live(found);
    if !keys::adopts(share, found) && keys::in_sync(found, &share.template, &live) {
        return Ok(None);
    }
    let policy = keys::wanted(share, found, &live)
        .map_err(|fault| KeyObstacle::NotProjected(share.name.clone(), fault))?;
    // An error that others' statements have cannot be written away.
    if policy.equivalent(found) {
        return Ok(None);
    }
    Ok(Some(KeyWrite {
        name: share.name.clone(),
        arn: share.arn.clone(),
        expected: found.clone(),
        policy,
        content: keys::content(&share.template, &live),
    }))
}

/// How much an observed policy must hold.
#[derive(Clone, Copy, PartialEq)]
pub enum Extent {
    /// All live measurements; its holder may be slow to remove others.
    AtLeast,
    /// Exactly the live measurements.
    Exactly,
}

/// Waits for the holders of observed keys.
pub fn ask(world: &World, step: Step, set: &AdmittedSet, extent: Extent) -> Option<Plan> {
    let waiting: Vec<_> = world
        .facts()
        .filter(|(share, _)| !share.managed)
        .filter(|(share, facts)| extent == Extent::Exactly || takes_part(share, facts))
        .filter(|(share, facts)| !holds(share, facts, set, extent))
        .filter(|(share, _)| !keys::dispensable(world, share))
        .map(|(share, _)| share.name.clone())
        .collect();
    if waiting.is_empty() {
        return None;
    }
    let awaiting = KeyObstacle::AwaitingHolder {
        keys: waiting,
        cluster: world.spec.owner.name.clone(),
    };
    Some(Plan::wait(step, awaiting))
}

fn holds(share: &Share, facts: &KeyFacts, set: &AdmittedSet, extent: Extent) -> bool {
    let Ok(policy) = &facts.policy else {
        return false;
    };
    let live = set.for_key(share, policy);
    keys::in_sync(policy, &share.template, &live)
        || (extent == Extent::AtLeast && admits_all(policy, share, &live))
}

fn admits_all(policy: &Policy, share: &Share, live: &[Measurement]) -> bool {
    let admits = |m| key_policy::admits(policy, &share.template, m).unwrap_or(false);
    live.iter().all(admits)
}
