//! What is proven, whatever status says: that Retire has begun, that an image was revoked, and which release was left last.

use measurement::{Measurement, Pcr};

use crate::{
    KeyFacts, PersistedState, Release, Rollover, Set, Share, StatusObstacle, World, claim, keys,
    tags,
};

impl World {
    /// Whether the only way is forward: status says so, and a key of ours (where one that it manages was read) or this process, too.
    pub fn retires(&self, rollover: &Rollover) -> bool {
        let witnessed = self.retire_witnessed.as_ref();
        if rollover.retires()
            && witnessed.is_some_and(|(number, target)| {
                *number == self.record.rollovers
                    && *target == tags::retired_for(&rollover.to.measurement)
            })
        {
            return true;
        }
        let ours = self
            .facts()
            .filter(|(share, facts)| share.managed && claim::is_ours(self, facts));
        let number = self.record.rollovers;
        let proofs: Vec<_> = ours
            .map(|(_, facts)| claim::proves_retire(facts, number, rollover))
            .collect();
        let nobody_to_ask = !self.facts().any(|(share, _)| share.managed);
        rollover.retires() && (nobody_to_ask || proofs.contains(&true))
    }

    /// Whether there is no way back: Retire goes on, or status says that it began and the set of the release before is gone.
    pub fn no_way_back(&self, rollover: &Rollover) -> bool {
        let from = rollover.from.as_ref();
        let is_gone = from.is_none_or(|from| self.set(&from.revision).is_none());
        self.retires(rollover) || (rollover.retires() && is_gone)
    }

    /// Whether the release before was revoked: what runs of it opens nothing any more.
    pub fn leaves_revoked(&self, rollover: &Rollover) -> bool {
        let from = rollover.from.as_ref();
        from.is_some_and(|from| self.revoked(&from.measurement.image_sha384))
    }

    /// Whether an image may be taken out of policies because it was revoked.
    ///
    /// Status alone can be forged: it needs the asking beside it, or our tag on a key. Without status it needs the tags
    /// of so many keys of ours that fewer than `threshold` are without it: they could lock the image out anyway.
    pub fn revoked(&self, image: &Pcr) -> bool {
        let spec = &self.spec;
        let tagged = self
            .facts()
            .filter(|(_, facts)| claim::is_ours(self, facts))
            .filter(|(_, facts)| tags::revokes(&facts.tags, image))
            .count();
        let told =
            self.record.revoked.contains(image) && (tagged > 0 || spec.verbs.asks_to_revoke(image));
        told || (tagged > 0 && spec.shares.len() - tagged < spec.threshold)
    }
}

/// The releases of `ReplicaSets` of ours that something else than status calls the one before: these are a way back,
/// whatever status says. In a takeover the way back is what the keys keep, and not the empty set of a target that was given up.
pub fn left_last<'a>(
    world: &'a World,
    rollover: &'a Rollover,
) -> impl Iterator<Item = &'a Release> {
    let no_tag_is_left = !world.facts().any(|key| says(world, key).is_some());
    let only = no_tag_is_left
        .then(|| only_other(world, rollover))
        .flatten();
    let only = only.filter(|only| !world.revoked(&only.measurement.image_sha384));
    let takes_over = !rollover.found.is_empty();
    let runs = |release: &Release| world.set(&release.revision).is_some_and(Set::runs);
    tagged_as_left(world)
        .chain(only)
        .filter(move |release| !takes_over || runs(release))
}

/// The release that status calls the one before; none where the keys' tags name another one than that and the target.
pub fn before<'a>(world: &World, rollover: &'a Rollover) -> Option<&'a Release> {
    let from = rollover.from.as_ref()?;
    let known = [&from.measurement, &rollover.to.measurement];
    let named = tagged_as_left(world).all(|release| known.contains(&&release.measurement));
    named.then_some(from)
}

/// Why a rollover is not begun from a release: the keys' tags say that another one was left last, and it is still there.
pub fn contradicted(world: &World, current: &Release) -> Option<StatusObstacle> {
    let mut left = tagged_as_left(world).peekable();
    let first = left.peek()?.revision.clone();
    let agrees = left.any(|release| release.measurement == current.measurement);
    (!agrees).then(|| StatusObstacle::LeftLast {
        current: current.revision.clone(),
        tagged: first,
    })
}

/// Why status is not believed, whatever it is used for.
pub fn untrue(world: &World) -> Option<StatusObstacle> {
    mismeasured(world).or_else(|| not_the_first(world))
}

/// Why status is not believed: it has another measurement of a release than the release's own `ReplicaSet`. What a policy
/// would lose or keep by it is wrong for the chambers that run.
fn mismeasured(world: &World) -> Option<StatusObstacle> {
    let rollover = world.record.rollover.iter();
    // One release under its permit and under its run manifest is named twice.
    let named = rollover.flat_map(|rollover| {
        let from = rollover.from.iter();
        from.filter(|from| from.revision != rollover.to.revision)
            .chain([&rollover.to])
    });
    let mut named = named.chain(&world.record.current);
    named.find_map(|release| {
        let set = contradicting(world, release)?;
        Some(StatusObstacle::Mismeasured {
            revision: release.revision.clone(),
            set: set.name.clone(),
        })
    })
}

/// Why status is not believed: it calls a rollover a first start, and a release verified. Every later one comes from what was
/// verified, and would keep that on its way.
fn not_the_first(world: &World) -> Option<StatusObstacle> {
    let first = world.record.rollover.as_ref();
    let first = first.filter(|rollover| rollover.from.is_none())?;
    let current = world.record.current.as_ref()?;
    Some(StatusObstacle::NotTheFirst {
        current: current.revision.clone(),
        to: first.to.revision.clone(),
    })
}

/// What status says, with each release as the `ReplicaSet` has it that was made from it: what a holder is asked for fits what runs.
pub fn corrected(world: &World, record: &PersistedState) -> PersistedState {
    let mut corrected = record.clone();
    let rollover = corrected.rollover.iter_mut();
    let named = rollover.flat_map(|rollover| rollover.from.iter_mut().chain([&mut rollover.to]));
    for release in named.chain(&mut corrected.current) {
        if let Some(set) = contradicting(world, release) {
            *release = set.release.clone();
        }
    }
    corrected
}

/// The `ReplicaSet` that was made from a release, where it has another measurement or generation than status says.
pub fn contradicting<'a>(world: &'a World, release: &Release) -> Option<&'a Set> {
    let set = world.set(&release.revision)?;
    let same = set.release.measurement == release.measurement
        && set.release.generation == release.generation;
    (!same).then_some(set)
}

/// The releases of `ReplicaSets` of ours that the keys' tags say were left by the last rollover.
pub fn tagged_as_left(world: &World) -> impl Iterator<Item = &Release> {
    let releases = world.sets.iter().map(|set| &set.release);
    releases.filter(|release| {
        let image = &release.measurement.image_sha384;
        most_say_it_was_left(world, &release.measurement) && !world.revoked(image)
    })
}

/// The only release beside the target that chambers of ours could run.
fn only_other<'a>(world: &'a World, rollover: &Rollover) -> Option<&'a Release> {
    let releases = world.sets.iter().map(|set| &set.release);
    let mut others = releases
        .filter(|release| release.measurement != rollover.to.measurement)
        .filter(|release| keys::usable(world, &release.measurement) >= world.spec.threshold);
    others.next().filter(|_| others.next().is_none())
}

/// What a key of ours says was left by the last rollover.
fn says<'a>(world: &World, (share, facts): (&Share, &'a KeyFacts)) -> Option<&'a String> {
    let ours = share.managed && claim::is_ours(world, facts);
    facts.tags.get(tags::RETIRED_FOR).filter(|_| ours)
}

/// Of our keys that say what was left, more than half name this measurement. A key whose tags were lost has no say.
fn most_say_it_was_left(world: &World, measurement: &Measurement) -> bool {
    let id = tags::retired_for(measurement);
    let says = world.facts().filter_map(|key| says(world, key));
    let (agree, others): (Vec<_>, Vec<_>) = says.partition(|said| **said == id);
    agree.len() > others.len()
}
