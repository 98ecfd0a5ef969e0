//! What each key is to admit: the one place that says so. Writing, asking holders, drift, deletion, preview
//! and status all read it from here.

use std::collections::BTreeMap;

use key_policy::{NotOurs, Policy};
use measurement::Measurement;

use crate::{
    KeyFacts, KeyState, PersistedState, Release, Rollover, Share, World, claim, keys, proven,
    takeover,
};

/// What the policies are to admit; for one of them, see [`AdmittedSet::for_key`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdmittedSet {
    /// On every key: what the spec approves, and what chambers of ours run.
    everywhere: Vec<Measurement>,
    /// Where it is, and nowhere else: only status names it, or one key's tag says that it was revoked.
    stays: Vec<Measurement>,
    /// By ARN, while it is there: what a key admitted when it was taken over is never copied to another one.
    inherited: BTreeMap<String, Measurement>,
}

impl AdmittedSet {
    /// While both releases of a rollover run.
    pub fn both(world: &World, rollover: &Rollover) -> Self {
        let believed = Rollover {
            from: proven::before(world, rollover).cloned(),
            ..rollover.clone()
        };
        let mut set = Self::of(world, believed.live());
        // Status can be forged: what the keys say was left last stays where it is, whatever it calls the release before.
        let left_last = proven::left_last(world, rollover).map(|release| &release.measurement);
        let known =
            |one: &&Measurement| !set.everywhere.contains(*one) && !set.stays.contains(*one);
        let left_last: Vec<_> = left_last.filter(known).cloned().collect();
        set.stays.extend(left_last);
        let found = rollover.found.iter();
        set.inherited = found
            .filter(|(_, found)| !world.revoked(&found.image_sha384))
            .map(|(arn, found)| (arn.clone(), found.clone()))
            .collect();
        set
    }

    /// While one release runs.
    pub fn only(world: &World, measurement: &Measurement) -> Self {
        Self::of(world, vec![measurement.clone()])
    }

    /// As far as a record says it; without one, what the spec names.
    pub fn recorded(world: &World, record: &PersistedState) -> Self {
        let record = &proven::corrected(world, record);
        let current = record.current.as_ref().unwrap_or(&world.spec.release);
        let rollover = record.rollover.as_ref();
        if let Some(left) = rollover.and_then(|rollover| left_by_deletion(world, rollover)) {
            return Self::only(world, &left.measurement);
        }
        match &record.rollover {
            Some(rollover) if !world.retires(rollover) => Self::both(world, rollover),
            Some(rollover) => Self::only(world, &rollover.to.measurement),
            None if record.current.is_none() => Self {
                inherited: takeover::next(world, None).unwrap_or_default(),
                ..Self::only(world, &current.measurement)
            },
            None => Self::only(world, &current.measurement),
        }
    }

    /// For a key that admits a revoked image, in whichever state: that one goes, what else it admits stays, nothing comes.
    pub fn without_revoked(world: &World, share: &Share, policy: &Policy) -> Self {
        let images = keys::images(share, policy);
        // What stays is a release that is known, even where status was lost: its registers are needed, too.
        let mut known = known(world, share);
        let revoked = images.iter().filter(|image| world.revoked(image));
        let revoked = revoked.map(|image| Measurement::image(*image));
        let named: Vec<_> = known.iter().cloned().chain(revoked).collect();
        known.extend(takeover::theirs(world, share, policy, &named));
        known.retain(|measurement| {
            let image = &measurement.image_sha384;
            images.contains(image) && !world.revoked(image)
        });
        Self {
            everywhere: known,
            ..Self::default()
        }
    }

    /// Status is a cache, not an authority: what it alone names stays where it is and enters no other key.
    fn of(world: &World, measurements: Vec<Measurement>) -> Self {
        let trusted = measurements
            .into_iter()
            .filter(|measurement| !world.revoked(&measurement.image_sha384));
        let (everywhere, stays) = trusted.partition(|measurement| enters(world, measurement));
        Self {
            everywhere,
            stays,
            inherited: BTreeMap::new(),
        }
    }

    /// What every policy is to hold.
    pub fn everywhere(&self) -> &[Measurement] {
        &self.everywhere
    }

    /// What the policy of a key is to hold. What only stays is kept while it is there, and does not come back.
    pub fn for_key(&self, share: &Share, policy: &Policy) -> Vec<Measurement> {
        let admitted = key_policy::found(policy, &share.template);
        // The whole tuple: an image with other registers than the policy pins would take the pins away.
        let is_there = |measurement: &&Measurement| {
            let admitted = admitted.as_ref();
            admitted.is_ok_and(|admitted| admitted.lists(measurement))
        };
        let staying = self.inherited.get(&share.arn).into_iter();
        let staying = staying.chain(&self.stays).filter(is_there);
        let mut wanted: Vec<Measurement> = Vec::new();
        for measurement in staying.chain(&self.everywhere) {
            if !wanted.contains(measurement) {
                wanted.push(measurement.clone());
            }
        }
        wanted
    }
}

/// The policy that a key is to hold, whoever writes it: the one found with what it lacks, or where none can be read a new one.
///
/// # Errors
///
/// What was found belongs to somebody else, or cannot be put right.
pub fn policy(set: &AdmittedSet, share: &Share, found: Option<&Policy>) -> Result<Policy, NotOurs> {
    let Some(found) = found else {
        return Ok(share.template.render(set.everywhere()));
    };
    let share = Share {
        managed: true,
        adopt: true,
        ..share.clone()
    };
    keys::wanted(&share, found, &set.for_key(&share, found))
}

/// Whether a measurement may come into a policy: the spec approves it or chambers of ours run it, and no key bars it.
pub fn enters(world: &World, measurement: &Measurement) -> bool {
    approved(world, measurement) && !world.barred(&measurement.image_sha384)
}

/// The release that a deletion leaves in the policies now: that of the chambers which stay, or with none left that may
/// restart the one that [`stays`]. None while chambers are still to end, or of two releases stay.
pub fn left_by_deletion<'a>(world: &'a World, rollover: &'a Rollover) -> Option<&'a Release> {
    let deletion = world.spec.deletion?;
    let mut running = world.sets.iter().filter(|set| set.runs());
    match (running.next(), running.next()) {
        (None, _) => stays(world, rollover),
        (Some(only), None) if deletion.orphans => Some(&only.release),
        _ => None,
    }
}

/// The release that a deletion in the middle of a rollover leaves in the policies: once Retire has begun the target, and
/// before it the one that was verified last. What nothing but status names is none.
pub fn stays<'a>(world: &'a World, rollover: &'a Rollover) -> Option<&'a Release> {
    let open = !world.retires(rollover);
    let before = proven::tagged_as_left(world)
        .chain(&world.record.current)
        .chain(proven::left_last(world, rollover))
        .chain(&rollover.from)
        .filter(|_| open);
    let known = |release: &&Release| !only_status_names(world, release);
    let target = Some(&rollover.to).filter(known);
    let candidates = before.chain([&rollover.to]).filter(known);
    let candidates: Vec<_> = candidates
        .filter(|release| !world.revoked(&release.measurement.image_sha384))
        .collect();
    // What is left in the policies has to open: with what the operator writes, and what holders have left.
    let opens = |release: &&&Release| may_open(world, release) >= world.spec.threshold;
    let mut opening = candidates.iter().filter(opens);
    opening.next().or(candidates.first()).copied().or(target)
}

/// Keys that open for a release, or will once the operator has written it into them.
fn may_open(world: &World, release: &Release) -> usize {
    let enters = enters(world, &release.measurement);
    let opens = |(share, facts): &(&Share, &KeyFacts)| {
        let writes = enters && share.managed && claim::is_ours(world, facts);
        keys::opens(share, facts, &release.measurement)
            || writes && facts.state == KeyState::Enabled
    };
    world.facts().filter(opens).count()
}

/// Whether nothing but status speaks for a release. What so many keys admit was approved once, though no chamber of it runs.
pub fn only_status_names(world: &World, release: &Release) -> bool {
    let admitted = keys::usable(world, &release.measurement) >= world.spec.threshold;
    !approved(world, &release.measurement) && !admitted
}

/// Whether something else than status speaks for a measurement: the spec, or a `ReplicaSet` of ours.
pub fn approved(world: &World, measurement: &Measurement) -> bool {
    let mut sets = world.sets.iter().map(|set| &set.release.measurement);
    world.spec.release.measurement == *measurement || sets.any(|of_set| of_set == measurement)
}

/// The measurements that status (for this key, too), the chambers and the spec name, each image once.
fn known(world: &World, share: &Share) -> Vec<Measurement> {
    let rollover = world.record.rollover.iter();
    // Where a set was made from a release, it says what that one measures, and not status.
    let believed = |release: &&Release| proven::contradicting(world, release).is_none();
    let recorded = rollover.flat_map(|rollover| {
        let found = rollover.found.get(&share.arn);
        let releases = rollover.from.iter().chain([&rollover.to]);
        let releases = releases.filter(believed);
        found
            .into_iter()
            .cloned()
            .chain(releases.map(|release| release.measurement.clone()))
    });
    let current = world.record.current.iter().filter(believed);
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
    let best = all
        .iter()
        .filter(|one| !all.iter().any(|other| vaguer(one, other)));
    best.cloned().collect()
}
