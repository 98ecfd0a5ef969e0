//! The laws once more, against what is true in the small world and not what the operator believes.

use key_policy::{Policy, Severity};
use rollover::Gate;

use crate::setup::Setup;
use crate::state::{Answers, FOREIGN, Images, Key, Owned, Prometheus, RELEASES, Seal, Set, State};
use crate::violation::Violation;
use crate::world::COMMITMENT;

/// The images of a policy that is about to be written.
///
/// # Errors
///
/// Law 8 where the admin would lose the key, law 9 where somebody else's statement changes.
pub fn images(setup: &Setup, key: usize, policy: &Policy) -> Result<Images, Violation> {
    setup.images(key, policy).ok_or_else(|| {
        let template = &setup.spec.shares[key].template;
        let error = key_policy::lint(policy, template)
            .into_iter()
            .find(|finding| finding.severity == Severity::Error);
        match error {
            Some(finding) => Violation::of(
                8,
                format!("writes a policy with the error {}", finding.rule),
            ),
            None => Violation::of(9, "writes a policy that is more than other images"),
        }
    })
}

/// A policy was written.
///
/// # Errors
///
/// Laws 1, 2, 4, 5, 7 and 10.
pub fn write(
    setup: &Setup,
    before: &State,
    after: &State,
    key: usize,
    expected: Images,
) -> Result<(), Violation> {
    let (old, new) = (before.keys[key].stored, after.keys[key].stored);
    of_the_operator(before, key)?;
    // Tags that were removed since the keys were read are not known yet.
    let seen = before.as_read();
    if !seen[key].is_ours() || seen[key].healing {
        return Err(Violation::of(
            10,
            "writes a key that does not carry this cluster's tag, or got it back just now",
        ));
    }
    if old != expected {
        return Err(Violation::of(
            10,
            "writes over a policy that somebody else wrote since it was read",
        ));
    }
    if old == new {
        return Err(Violation::of(7, "writes a policy that is there already"));
    }
    let excused = before.record.revoked != 0 || before.asked.deleting;
    if !excused
        && before.record.written[key].is_some_and(|known| known.0 == Some(new) && known.1 >= 4)
    {
        return Err(Violation::of(10, "puts a policy right for the fifth time"));
    }
    trust(setup, before, old, new)?;
    deletion_leaves_one(setup, before, old, new)?;
    what_was_theirs(before, key, old & !new)?;
    (0..RELEASES).try_for_each(|release| leaves(setup, before, after, release, old & !new))
}

/// Nothing is to be done any more: so many chambers serve as are wanted.
///
/// # Errors
///
/// Law 0, and law 2 as in [`nothing_revoked_is_left`].
pub fn rests(setup: &Setup, state: &State) -> Result<(), Violation> {
    let (wanted, unsealed) = (state.asked.replicas, state.unsealed());
    if unsealed != usize::from(wanted) {
        let message = format!("rests with {unsealed} chambers, and {wanted} are wanted");
        return Err(Violation::of(0, message));
    }
    nothing_revoked_is_left(setup, state)
}

/// Nothing is done any more: no key of the operator's admits what was revoked.
///
/// # Errors
///
/// Law 2.
pub fn nothing_revoked_is_left(setup: &Setup, state: &State) -> Result<(), Violation> {
    let size = &setup.size;
    // What was changed since the keys were read is not known yet: they are read again after a while.
    let mut known = state.clone();
    known.keys = state.as_read();
    let revoked = known.revoked(size.keys, size.threshold);
    let keys = known.keys[..size.keys].iter().enumerate();
    let mut written = keys.filter(|(index, _)| state.asked.observed & (1 << index) == 0);
    match written.find(|(_, key)| key.is_ours() && key.stored & revoked != 0) {
        None => Ok(()),
        Some((index, _)) => Err(Violation::of(
            2,
            format!("rests while key {index} admits an image that was revoked"),
        )),
    }
}

/// A tag that says whose a key is: another cluster's is left, but for those that the user takes over.
///
/// # Errors
///
/// Law 10.
pub fn tag_owner(state: &State, key: usize, takes_over: bool) -> Result<(), Violation> {
    let seen = state.as_read();
    let theirs = seen[key].owner == Owned::Theirs;
    if theirs && !(takes_over && state.asked.transfer) {
        return Err(Violation::of(10, "takes another cluster's key"));
    }
    Ok(())
}

/// A call that changes a key: a policy or a tag.
///
/// # Errors
///
/// Law 10, where the key is its holder's.
pub fn of_the_operator(state: &State, key: usize) -> Result<(), Violation> {
    if state.asked.observed & (1 << key) == 0 {
        return Ok(());
    }
    Err(Violation::of(10, "changes a key that is its holder's"))
}

fn trust(setup: &Setup, state: &State, old: Images, new: Images) -> Result<(), Violation> {
    let rollover = state.record.rollover.iter();
    let known = rollover
        .flat_map(|rollover| rollover.from.into_iter().chain([rollover.to]))
        .chain(state.record.current)
        .chain(state.verified)
        .fold(1 << state.asked.release, |known: Images, release| {
            known | 1 << release
        });
    let known = known & state.approved;
    let added = new & !old;
    // What somebody else ran may stay where it was found, and goes nowhere else.
    if added & (!known | FOREIGN) != 0 || new & FOREIGN != 0 && !setup.size.adopts {
        return Err(Violation::of(2, "admits an image that nobody approved"));
    }
    if new.count_ones() > 2 {
        return Err(Violation::of(2, "admits three images"));
    }
    // What a holder has tagged since the keys were read is not known yet.
    let revoked = state.revoked(setup.size.keys, setup.size.threshold);
    let seen = state.as_read();
    let tagged = seen.iter().fold(0, |all, key| all | key.revoked);
    let barred = state.record.revoked | tagged;
    if added & barred != 0 || new & revoked & state.record.revoked & tagged != 0 {
        return Err(Violation::of(2, "admits a revoked image"));
    }
    Ok(())
}

/// A deletion leaves a release that may decrypt, unless all of them were revoked.
fn deletion_leaves_one(
    setup: &Setup,
    state: &State,
    old: Images,
    new: Images,
) -> Result<(), Violation> {
    let revoked = state.revoked(setup.size.keys, setup.size.threshold);
    if state.asked.deleting && new == 0 && old & state.approved & !revoked != 0 {
        return Err(Violation::of(5, "a deletion leaves nobody who may decrypt"));
    }
    Ok(())
}

/// What somebody else ran before a key was taken over leaves it with Retire.
fn what_was_theirs(state: &State, key: usize, removed: Images) -> Result<(), Violation> {
    if removed & FOREIGN == 0 || state.theirs & (1 << key) == 0 || state.asked.deleting {
        return Ok(());
    }
    match &state.record.rollover {
        Some(rollover) if rollover.retires => all_run(state, usize::from(rollover.to)),
        _ => Err(Violation::of(
            5,
            "what was found on a key leaves it before Retire is recorded",
        )),
    }
}

fn leaves(
    setup: &Setup,
    before: &State,
    after: &State,
    release: usize,
    removed: Images,
) -> Result<(), Violation> {
    let bit = 1 << release;
    let revoked = before.revoked(setup.size.keys, setup.size.threshold);
    if removed & bit == 0 || revoked & bit != 0 {
        return Ok(());
    }
    let threshold = setup.size.threshold;
    let usable = |state: &State| state.usable(release, setup.size.keys);
    let drops = usable(before) >= threshold && usable(after) < threshold;
    if drops && before.runs(release) {
        return Err(Violation::of(
            1,
            format!("v{} runs and can no longer decrypt", release + 1),
        ));
    }
    if before.sets[release]
        .as_ref()
        .is_some_and(|set| !set.pods.is_empty())
    {
        return Err(Violation::of(
            4,
            format!(
                "v{} leaves a policy while a chamber of it is there",
                release + 1
            ),
        ));
    }
    let proven = before.verified.map(usize::from) == Some(release);
    if drops && proven && !before.asked.deleting {
        return Err(Violation::of(
            5,
            format!("v{} was proven last and can no longer decrypt", release + 1),
        ));
    }
    let Some(rollover) = &before.record.rollover else {
        return Ok(());
    };
    let release = u8::try_from(release).ok();
    // The one that was proven last; once Retire has begun that is the target, and the release before is what leaves.
    let recorded = rollover.from == release || before.record.current == release;
    let returnable = before.verified.is_none_or(|verified| {
        Some(verified) == release || (rollover.retires && rollover.to == verified)
    });
    let returnable = returnable && recorded;
    if !returnable || before.asked.deleting {
        return Ok(());
    }
    if drops && !rollover.retires {
        return Err(Violation::of(
            5,
            "the way back ends before that is recorded",
        ));
    }
    all_run(before, usize::from(rollover.to))
}

fn all_run(state: &State, release: usize) -> Result<(), Violation> {
    let serving = |set: &Set| set.pods.iter().filter(|pod| pod.serves()).count();
    let unsealed = state.sets[release].as_ref().map_or(0, serving);
    if unsealed < usize::from(state.asked.replicas) {
        let message =
            format!("the old release is retired while {unsealed} new chambers are unsealed");
        return Err(Violation::of(4, message));
    }
    Ok(())
}

/// The way back is given up.
///
/// # Errors
///
/// Laws 4 and 6.
pub fn retire_begins(setup: &Setup, state: &State) -> Result<(), Violation> {
    gate(setup, state)?;
    if state.prometheus != Prometheus::Fresh {
        return Err(Violation::of(
            6,
            "Retire begins without an answer of Prometheus",
        ));
    }
    let Some(rollover) = &state.record.rollover else {
        return Err(Violation::of(0, "Retire begins without a rollover"));
    };
    let to = usize::from(rollover.to);
    all_run(state, to)?;
    if state.unsealed() == 0 {
        return Err(Violation::of(
            6,
            "Retire begins, and nothing has proven the target",
        ));
    }
    let others = (0..RELEASES).filter(|release| *release != to);
    if others.into_iter().any(|release| {
        state.sets[release]
            .as_ref()
            .is_some_and(|set| !set.pods.is_empty())
    }) {
        return Err(Violation::of(
            4,
            "Retire begins while an old chamber is there",
        ));
    }
    let soaked = |set: &Set| {
        set.pods
            .iter()
            .all(|pod| pod.unsealed.is_some_and(|age| age >= 1))
    };
    if !state.sets[to].as_ref().is_some_and(soaked) {
        return Err(Violation::of(
            4,
            "Retire begins before the soak time is over",
        ));
    }
    Ok(())
}

/// What chambers attest lets Retire begin.
fn gate(setup: &Setup, state: &State) -> Result<(), Violation> {
    let silence_passes = setup.size.gate == Gate::Preferred && !state.record.attested;
    let passes = match state.answers {
        Answers::True => true,
        Answers::OneSilent => setup.size.gate == Gate::Disabled || silence_passes,
        Answers::OneLies => setup.size.gate == Gate::Disabled,
    };
    if passes {
        return Ok(());
    }
    let message = format!("Retire begins although chambers attest {:?}", state.answers);
    Err(Violation::of(4, message))
}

/// It is recorded that every chamber of the target attests.
///
/// # Errors
///
/// Law 6, where one does not, or runs no more.
pub fn attested(setup: &Setup, state: &State) -> Result<(), Violation> {
    let target = state.record.rollover.as_ref();
    let runs = target.is_some_and(|rollover| state.runs(usize::from(rollover.to)));
    if runs && state.answers == Answers::True && setup.size.gate != Gate::Disabled {
        return Ok(());
    }
    Err(Violation::of(
        6,
        "records that a release attests which does not",
    ))
}

/// A release got another number of chambers.
///
/// # Errors
///
/// Laws 1, 3 and 7.
pub fn size(setup: &Setup, before: &State, after: &State, release: usize) -> Result<(), Violation> {
    let size = |state: &State| state.sets[release].as_ref().map_or(0, |set| set.replicas);
    if size(after) == size(before) {
        return Err(Violation::of(7, "resizes to what is there"));
    }
    if size(after) > size(before) {
        return starts(setup, before, release);
    }
    let wanted = before.asked.replicas;
    let floor = wanted.saturating_sub(setup.size.max_unavailable);
    let stops = after.unsealed() < before.unsealed();
    if stops && after.unsealed() < usize::from(floor) && !before.asked.deleting {
        let left = after.unsealed();
        return Err(Violation::of(
            3,
            format!("{left} unsealed chambers are left of {floor}"),
        ));
    }
    Ok(())
}

/// A reading must be fresh; whoever is late must find that every key still agrees.
fn starts(setup: &Setup, state: &State, release: usize) -> Result<(), Violation> {
    let bit = 1 << release;
    if !setup.size.external && state.blobs & bit == 0 {
        return Err(Violation::of(
            1,
            format!("v{} is started without a blob", release + 1),
        ));
    }
    if state.alien & bit != 0 {
        return Err(Violation::of(
            12,
            format!("v{} is started on somebody else's master key", release + 1),
        ));
    }
    let keys = state.as_read();
    let age = state.seen.as_ref().map_or(0, |seen| seen.age);
    // Where a second fault is allowed, what somebody else did to a key while an order was late is not the operator's doing.
    let late = state.seen.is_none() && setup.size.faults > 1;
    let lets = |key: &Key| key.stored & bit != 0 && !key.disabled && !key.fenced;
    let keys = keys[..setup.size.keys].iter().enumerate();
    let accepted = |index: usize| setup.size.accepted & (1 << index) != 0;
    let usable = keys.clone().filter(|(_, key)| lets(key)).count();
    let mut needed = keys.filter(|(index, _)| !accepted(*index));
    // What a revocation left without a chamber that could open anything waits for no more keys than chambers need.
    let revoked = state.revoked(setup.size.keys, setup.size.threshold);
    let from = state
        .record
        .rollover
        .as_ref()
        .and_then(|rollover| rollover.from);
    let pressing = from.is_some_and(|from| revoked & (1 << from) != 0);
    let agree = pressing || was_verified(state, release) || needed.all(|(_, key)| lets(key));
    let admits = late || usable >= setup.size.threshold && agree;
    if age != 0 || !admits {
        return Err(Violation::of(
            1,
            format!("v{} is started before every key agrees", release + 1),
        ));
    }
    Ok(())
}

/// What was verified on every key may be started again with as many as it needs.
fn was_verified(state: &State, release: usize) -> bool {
    let verified = match &state.record.rollover {
        None => state.record.current,
        Some(rollover) => rollover.retires.then_some(rollover.to),
    };
    verified.map(usize::from) == Some(release)
}

/// A key is tagged with what is revoked.
///
/// # Errors
///
/// Law 2, where one holder alone says so: the tags of many would take the image out of every key.
pub fn revoke(setup: &Setup, state: &State, key: usize, images: Images) -> Result<(), Violation> {
    let revoked = state.revoked(setup.size.keys, setup.size.threshold);
    // What its own tags said when they were read may be put back.
    let seen = state.as_read();
    if images & !revoked & !state.keys[key].revoked & !seen[key].revoked == 0 {
        return Ok(());
    }
    Err(Violation::of(
        2,
        "spreads what one holder alone calls revoked",
    ))
}

/// A `ReplicaSet` is made.
///
/// # Errors
///
/// Law 12, where only another release's template is there to make it from.
pub fn make(state: &State, release: u8) -> Result<(), Violation> {
    if state.asked.release == release || state.templates & (1 << release) != 0 {
        return Ok(());
    }
    Err(Violation::of(
        12,
        "makes a release from another one's template",
    ))
}

/// A `ReplicaSet` is removed.
///
/// # Errors
///
/// Law 3, where it still has chambers.
pub fn remove(state: &State, release: usize) -> Result<(), Violation> {
    match &state.sets[release] {
        Some(set) if set.replicas > 0 => Err(Violation::of(
            3,
            "removes a release that still has chambers",
        )),
        _ => Ok(()),
    }
}

/// A blob is stored: what the seal pod offers, or what is bound anew from that of another release.
///
/// # Errors
///
/// Laws 11 and 12.
pub fn blob(state: &State, release: u8, from: Option<u8>) -> Result<(), Violation> {
    if from.is_none() && state.sealed {
        return Err(Violation::of(11, "stores a second master key"));
    }
    let offered = state.seal == Seal::Offers && state.sealer == release;
    let sound = from.map_or(offered, |from| state.alien & (1 << from) == 0);
    if !sound {
        return Err(Violation::of(12, "stores a master key that is not ours"));
    }
    if state.blobs & (1 << release) != 0 {
        return Err(Violation::of(11, "overwrites a blob"));
    }
    Ok(())
}

/// The seal pod is started, or deleted.
///
/// # Errors
///
/// Laws 11 and 12.
pub fn seal(state: &State, start: bool) -> Result<(), Violation> {
    if start && state.sealed {
        return Err(Violation::of(11, "seals a second time"));
    }
    if state.seal == Seal::Foreign {
        return Err(Violation::of(12, "takes somebody else's pod for its own"));
    }
    Ok(())
}

/// A commitment is written to a key or to status.
///
/// # Errors
///
/// Law 12, where it is of somebody else's master key.
pub fn commits(commitment: &str) -> Result<(), Violation> {
    if commitment == COMMITMENT {
        return Ok(());
    }
    Err(Violation::of(12, "commits to somebody else's master key"))
}

/// A release is called failed.
///
/// # Errors
///
/// Law 6, where its chambers that are sealed were never started.
pub fn fails(setup: &Setup, state: &State) -> Result<(), Violation> {
    let target = state.record.rollover.as_ref().map(|found| found.to);
    let revoked = state.revoked(setup.size.keys, setup.size.threshold);
    let target = target.filter(|target| revoked & (1 << target) == 0);
    let set = target.and_then(|target| state.sets[usize::from(target)].as_ref());
    let mut sealed = set
        .into_iter()
        .flat_map(|set| &set.pods)
        .filter(|pod| !pod.serves())
        .peekable();
    if sealed.peek().is_some() && sealed.all(|pod| !pod.placed) {
        return Err(Violation::of(
            6,
            "calls a release failed for which no node has room",
        ));
    }
    Ok(())
}
