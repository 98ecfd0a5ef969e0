//! One turn of the operator in the small world: the real planner decides, and its order has its effect, or part of it.

use std::collections::BTreeMap;

use measurement::Measurement;
use rollover::{Action, KeyWrite, Look, Phase, Plan, Transition, World, laws, tags};

use crate::checks;
use crate::mutant::Mutant;
use crate::setup::Setup;
use crate::state::{AGE, Age, FOREIGN, Images, Order, Owned, RELEASES, Seal, Seen, Set, State};
use crate::violation::Violation;
use crate::world;

/// Looks asked for before a decision, at most.
const LOOKS: usize = 5;

/// Plans, answering what the plan asks to look at; what was read stays in the operator's memory.
///
/// # Errors
///
/// Law 7 where the same world gives two plans, or looking never ends.
pub fn decide(
    setup: &Setup,
    mutant: Option<Mutant>,
    state: &mut State,
) -> Result<(World, Plan), Violation> {
    let mut world = world::of(setup, state);
    for _ in 0..LOOKS {
        let plan = mutant.map_or_else(
            || rollover::plan(&world),
            |mutant| mutant.plan(setup, &world),
        );
        match &plan {
            Plan::Look(Look::Keys) => {
                state.seen = Some(Seen {
                    age: 0,
                    keys: state.keys,
                    corrected: state.asked.corrected,
                });
                world.readings = world::readings(setup, state.seen.as_ref());
            }
            Plan::Look(Look::Metrics { .. }) => {
                world.metrics = Some(world::metrics(setup, state, &world));
            }
            Plan::Look(Look::Attestation { revision }) => {
                world.attestations = Some(world::attestations(setup, state, &world, revision));
            }
            Plan::Look(Look::Budget) => world.budget = Some(world::budget(setup, state)),
            _ => return Ok((world, plan)),
        }
    }
    Err(Violation::of(
        7,
        "what the plan asks to read is never enough",
    ))
}

/// One call of an action: it is carried out, or it is not.
#[derive(Clone, Debug)]
pub enum Part {
    /// `PutKeyPolicy`: key, images before, images after.
    Policy(u8, Images, Images),
    /// `TagResource`.
    Claim(u8, (u8, bool), Option<u8>, bool),
    /// `TagResource`.
    Transfer(u8),
    /// `TagResource`.
    Commit(u8),
    /// `TagResource`.
    Revoke(u8, Images),
    /// A `ReplicaSet` without chambers is made.
    Make(u8),
    /// Every `ReplicaSet` is marked.
    Fence,
    /// A `ReplicaSet` is resized.
    Size(u8, u8),
    /// A `ReplicaSet` is deleted.
    Remove(u8),
    /// The blob of a release is stored: bound from that of another one, or the first.
    Blob(u8, Option<u8>),
    /// The seal pod is made for a release, or deleted.
    Seal(Option<u8>),
    /// The finalizer is set or removed.
    Finalizer(bool),
}

/// The calls of an action. A note is none: it is the write of status that follows every action.
///
/// # Errors
///
/// Laws 8 and 9, where a policy is more than the images it admits.
pub fn parts(setup: &Setup, world: &World, action: &Action) -> Result<Vec<Part>, Violation> {
    let key = |arn: &str| {
        let found = world.spec.shares.iter().position(|share| share.arn == arn);
        u8::try_from(found.unwrap_or(0)).unwrap_or(0)
    };
    let parts = match action {
        Action::Transition(_) => Vec::new(),
        Action::MakeSet(release) => vec![Part::Make(setup.index(release))],
        Action::Fence(_) => vec![Part::Fence],
        Action::AddFinalizer => vec![Part::Finalizer(true)],
        Action::RemoveFinalizer(_) => vec![Part::Finalizer(false)],
        Action::ClaimKeys {
            arns,
            progress,
            retired_for,
            healed_at,
        } => {
            let stays = retired_for.as_ref().and_then(|id| {
                let mut releases = setup.releases.iter();
                let found =
                    releases.position(|release| tags::retired_for(&release.measurement) == *id);
                u8::try_from(found?).ok()
            });
            let progress = (u8::try_from(progress.0).unwrap_or(u8::MAX), progress.1);
            arns.iter()
                .map(|arn| Part::Claim(key(arn), progress, stays, healed_at.is_some()))
                .collect()
        }
        Action::TransferKeys { arns, .. } => {
            arns.iter().map(|arn| Part::Transfer(key(arn))).collect()
        }
        Action::TagRevoked { arns, images } => {
            let bits = (0..RELEASES)
                .filter(|index| {
                    let image = setup.releases[*index].measurement.image_sha384;
                    images.contains(&tags::prefix(&image))
                })
                .fold(0, |bits, index| bits | 1 << index);
            arns.iter()
                .map(|arn| Part::Revoke(key(arn), bits))
                .collect()
        }
        Action::WritePolicies(writes) => {
            return writes
                .iter()
                .map(|write| policy(setup, key(&write.arn), write))
                .collect();
        }
        Action::BindBlob { from, to, .. } => {
            vec![Part::Blob(setup.index_of(to), Some(setup.index_of(from)))]
        }
        Action::StoreBlob(to) => vec![Part::Blob(setup.index_of(to), None)],
        Action::StartSeal(release) => vec![Part::Seal(Some(setup.index(release)))],
        Action::RemoveSealPod => vec![Part::Seal(None)],
        Action::TagCommitment { arns, commitment } => {
            checks::commits(commitment)?;
            arns.iter().map(|arn| Part::Commit(key(arn))).collect()
        }
        Action::Resize(resizes) => resizes
            .iter()
            .map(|resize| {
                let to = u8::try_from(resize.to).unwrap_or(u8::MAX);
                Part::Size(setup.index(&resize.release), to)
            })
            .collect(),
        Action::RemoveSets(names) => (0..RELEASES)
            .filter(|index| names.contains(&format!("signer-{}", setup.releases[*index].revision)))
            .map(|index| Part::Remove(u8::try_from(index).unwrap_or(0)))
            .collect(),
    };
    Ok(parts)
}

fn policy(setup: &Setup, key: u8, write: &KeyWrite) -> Result<Part, Violation> {
    let index = usize::from(key);
    let expected = checks::images(setup, index, &write.expected)?;
    let images = checks::images(setup, index, &write.policy)?;
    Ok(Part::Policy(key, expected, images))
}

/// Carries out the calls whose bits are set; none set means all.
///
/// # Errors
///
/// The law that a call breaks.
pub fn carry_out(
    setup: &Setup,
    mutant: Option<Mutant>,
    state: &State,
    parts: &[Part],
    which: Option<u8>,
) -> Result<State, Violation> {
    let mut state = state.clone();
    for (index, part) in parts.iter().enumerate() {
        if which.is_none_or(|which| which & (1 << index) != 0) {
            perform(setup, mutant, &mut state, part)?;
        }
    }
    Ok(state)
}

/// Carries out one call, and checks the laws against what is true. `false`: it was refused, nothing changed.
///
/// # Errors
///
/// The law that the call breaks.
pub fn perform(
    setup: &Setup,
    mutant: Option<Mutant>,
    state: &mut State,
    part: &Part,
) -> Result<bool, Violation> {
    match part {
        Part::Policy(key, expected, images) => {
            let compares = mutant != Some(Mutant::WritesWithoutComparing);
            if compares && state.keys[usize::from(*key)].stored != *expected {
                return Ok(false);
            }
            put(setup, state, usize::from(*key), *expected, *images)?;
        }
        Part::Claim(key, progress, stays, heals) => {
            checks::of_the_operator(state, usize::from(*key))?;
            checks::tag_owner(state, usize::from(*key), false)?;
            let key = &mut state.keys[usize::from(*key)];
            (key.owner, key.progress) = (Owned::Ours, Some(*progress));
            key.retired_for = stays.or(key.retired_for);
            key.healing |= heals;
        }
        Part::Transfer(key) => {
            checks::of_the_operator(state, usize::from(*key))?;
            checks::tag_owner(state, usize::from(*key), true)?;
            state.keys[usize::from(*key)].owner = Owned::Ours;
        }
        Part::Commit(key) => {
            checks::of_the_operator(state, usize::from(*key))?;
            checks::tag_owner(state, usize::from(*key), false)?;
            // From here on chambers may start, and the master key is the one.
            state.sealed = true;
            state.keys[usize::from(*key)].committed = true;
        }
        Part::Revoke(key, images) => {
            checks::of_the_operator(state, usize::from(*key))?;
            checks::tag_owner(state, usize::from(*key), false)?;
            checks::revoke(setup, state, usize::from(*key), *images)?;
            state.keys[usize::from(*key)].revoked |= images;
        }
        Part::Make(release) => {
            // It is born with the mark, but says nothing of the others.
            state.fenced |= state.sets.iter().all(Option::is_none);
            checks::make(state, *release)?;
            state.templates |= 1 << release;
            state.sets[usize::from(*release)] = Some(Set::default());
        }
        Part::Fence => {
            state.fenced = true;
            (0..RELEASES).for_each(|release| state.set_changed(release));
        }
        Part::Size(release, to) => size(setup, state, usize::from(*release), *to)?,
        Part::Remove(release) => {
            checks::remove(state, usize::from(*release))?;
            state.set_changed(usize::from(*release));
            state.sets[usize::from(*release)] = None;
            state.templates &= !(1 << release);
        }
        Part::Blob(release, from) => {
            checks::blob(state, *release, *from)?;
            state.blobs |= setup.of_image(*release);
        }
        Part::Seal(of) => {
            checks::seal(state, of.is_some())?;
            state.seal = of.map_or(Seal::Absent, |_| Seal::Running);
            state.sealer = of.unwrap_or(0);
        }
        Part::Finalizer(held) => {
            state.finalizer = *held;
            state.gone = state.asked.deleting && !held;
        }
    }
    Ok(true)
}

fn put(
    setup: &Setup,
    state: &mut State,
    key: usize,
    expected: Images,
    images: Images,
) -> Result<(), Violation> {
    let before = state.clone();
    state.keys[key].stored = images;
    if images & FOREIGN == 0 {
        state.theirs &= !(1 << key);
    }
    state.policy_changed(key);
    checks::write(setup, &before, state, key, expected)
}

fn size(setup: &Setup, state: &mut State, release: usize, to: u8) -> Result<(), Violation> {
    let before = state.clone();
    if let Some(set) = &mut state.sets[release] {
        set.replicas = to;
    }
    state.set_changed(release);
    checks::size(setup, &before, state, release)
}

/// Writes into status that an action was done.
///
/// # Errors
///
/// The law that a note breaks.
pub fn note(
    setup: &Setup,
    state: &mut State,
    world: &World,
    action: &Action,
) -> Result<(), Violation> {
    if let Action::Transition(Transition::RetireBegun) = action {
        checks::retire_begins(setup, state)?;
        let rollover = state.record.rollover.as_ref();
        state.witnessed = rollover.map(|rollover| (state.record.rollovers, rollover.to));
        state.verified = rollover.map(|rollover| rollover.to);
    }
    if let (Action::Transition(Transition::Finished), None) = (action, state.verified) {
        let rollover = state.record.rollover.as_ref();
        state.verified = rollover.map(|rollover| rollover.to);
    }
    if let Action::Transition(Transition::Committed(commitment)) = action {
        checks::commits(commitment)?;
    }
    if let Action::Transition(Transition::Failed { .. }) = action {
        checks::fails(setup, state)?;
    }
    if let Action::Transition(Transition::Attested(_)) = action {
        checks::attested(setup, state)?;
    }
    let mut record = world.record.clone();
    record.acted(action, setup.now);
    state.record = compact(setup, &record, state.asked.corrected);
    if action.changes_keys() {
        state.seen = None;
    }
    Ok(())
}

/// The releases whose images a text names, as bits.
fn named(setup: &Setup, text: Option<&str>) -> Images {
    let text = text.unwrap_or_default();
    let releases = setup.releases.iter().enumerate();
    let named = releases
        .filter(|(_, release)| text.contains(&release.measurement.image_sha384.to_string()));
    named.fold(0, |bits, (index, _)| bits | 1 << index)
}

/// The planner's record as this world stores it; times become ages.
fn compact(
    setup: &Setup,
    record: &rollover::PersistedState,
    corrected: bool,
) -> crate::state::Record {
    let age = |at: jiff::Timestamp| {
        let minutes = setup.now.duration_since(at).as_mins();
        Age::try_from(minutes).unwrap_or(AGE).min(AGE)
    };
    let index = |release: &rollover::Release| setup.index(release);
    let bits = (0..RELEASES)
        .filter(|index| {
            let image = setup.releases[*index].measurement.image_sha384;
            record.revoked.contains(&image)
        })
        .fold(0, |bits, index| bits | 1 << index);
    let count = |token: &Option<String>| {
        token
            .as_ref()
            .and_then(|token| token.parse().ok())
            .unwrap_or(0)
    };
    crate::state::Record {
        current: record.current.as_ref().map(index),
        rollover: record
            .rollover
            .as_ref()
            .map(|found| crate::state::Rollover {
                from: found.from.as_ref().map(index),
                to: index(&found.to),
                mismeasured: mismeasured(setup, &found.to),
                found: kept(setup, &found.found, corrected),
                admitted: match found.phase {
                    Phase::Admitted { at } => Some(age(at)),
                    Phase::Admitting | Phase::Retiring { .. } => None,
                },
                retires: found.retires(),
                progressed: age(found.progressed_at),
            }),
        rollovers: u8::try_from(record.rollovers).unwrap_or(u8::MAX),
        committed: record.commitment.is_some(),
        attested: record.attested.is_some(),
        failure: record.failure.as_ref().and_then(|failure| {
            let found = setup
                .releases
                .iter()
                .position(|release| release.revision == failure.revision);
            u8::try_from(found?).ok()
        }),
        revoked: bits,
        written: written(setup, record, corrected),
        ended: record.ended_at.map(age),
        abort: count(&record.handled.abort),
        retry: count(&record.handled.retry),
        revoke: named(setup, record.handled.revoke.as_deref()),
        transfer: record.handled.transfer.is_some(),
    }
}

/// Whether a release has another image in it than the one of this name.
fn mismeasured(setup: &Setup, release: &rollover::Release) -> bool {
    let known = setup.releases.get(usize::from(setup.index(release)));
    known.is_some_and(|known| !known.measurement.same_image(&release.measurement))
}

/// What was written last to each key.
fn written(
    setup: &Setup,
    record: &rollover::PersistedState,
    corrected: bool,
) -> [Option<crate::state::Written>; crate::state::KEYS] {
    std::array::from_fn(|key| {
        (key < setup.size.keys).then_some(())?;
        let known = record.written.get(&setup.arn(key, corrected))?;
        let times = u8::try_from(known.put_right.len()).unwrap_or(u8::MAX);
        let images = setup.of_content(key, &known.content);
        // What was forgotten when a rollover began is as if it had never been written, but for what was put right.
        (images.is_some() || times > 0).then_some((images, times))
    })
}

/// The keys that keep what was found there, as bits.
fn kept(setup: &Setup, found: &BTreeMap<String, Measurement>, corrected: bool) -> u8 {
    let keys = 0..setup.size.keys;
    keys.filter(|key| found.contains_key(&setup.arn(*key, corrected)))
        .fold(0, |bits, index| bits | 1 << index)
}

/// Checks an order with the controller's fuse.
///
/// # Errors
///
/// The law that the planner would have broken.
pub fn fuse(world: &World, action: &Action) -> Result<(), Violation> {
    laws::check(world, action).map_err(|breach| {
        let message = format!("the fuse: {action}: {}", breach.message);
        Violation::of(breach.law, message)
    })
}

/// The order as an old leader may still carry it out, where it is one of those that matter.
///
/// It freezes after it has compared: what it would not have sent anyway is left out.
pub fn late(state: &State, parts: &[Part]) -> Option<Order> {
    let policies: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Policy(key, expected, images) => {
                let same = state.keys[usize::from(*key)].stored == *expected;
                same.then_some((*key, *expected, *images))
            }
            _ => None,
        })
        .collect();
    let sizes: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Size(release, to) => Some((*release, *to)),
            _ => None,
        })
        .collect();
    match (policies.is_empty(), sizes.is_empty()) {
        (false, _) => Some(Order::Policies(policies)),
        (_, false) => Some(Order::Sizes(sizes)),
        _ => None,
    }
}

/// The old leader wakes up and sends one call of its order.
///
/// # Errors
///
/// The law that this breaks, by what was recorded when the order was given.
pub fn wake(setup: &Setup, state: &mut State) -> Result<(), Violation> {
    let Some(mut late) = state.late.take() else {
        return Ok(());
    };
    let (record, asked, seen) = (state.record.clone(), state.asked, state.seen.take());
    (state.record, state.asked) = (late.record.clone(), late.asked);
    // It knows no tag that was written since.
    let tagged = state.keys.map(|key| key.revoked);
    let owned = state.keys.map(|key| (key.owner, key.healing));
    for (key, known) in state.keys.iter_mut().zip(late.revoked) {
        (key.revoked, key.owner, key.healing) = (known, Owned::Ours, false);
    }
    let (rest, sent) = match &mut late.order {
        Order::Policies(writes) => match writes.pop() {
            Some((key, expected, images)) => {
                let sent = put(setup, state, usize::from(key), expected, images);
                (!writes.is_empty(), sent)
            }
            None => (false, Ok(())),
        },
        Order::Sizes(sizes) => match sizes.pop() {
            Some((release, to)) => {
                let sent = size(setup, state, usize::from(release), to);
                // A revocation takes the right to run from whatever starts late.
                let sent = sent.or_else(|broken| match record.revoked & (1 << release) {
                    0 => Err(broken),
                    _ => Ok(()),
                });
                (!sizes.is_empty(), sent)
            }
            None => (false, Ok(())),
        },
    };
    (state.record, state.asked, state.seen) = (record, asked, seen);
    for ((key, tagged), owned) in state.keys.iter_mut().zip(tagged).zip(owned) {
        key.revoked = tagged;
        (key.owner, key.healing) = owned;
    }
    state.late = rest.then_some(late);
    sent
}
