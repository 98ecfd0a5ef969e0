//! What can happen beside the operator, and how time passes.

use rollover::Gate;

use crate::setup::Setup;
use crate::state::{
    AGE, Answers, CHAMBERS, FOREIGN, Images, KEYS, Key, Order, Owned, Prometheus, RELEASES, Record,
    Rollover, Seal, Set, State,
};
use crate::world;

/// Something that can happen, and the state after it.
pub type Event = (String, State);

/// Whatever can happen next beside the operator; time passes only where the operator rests.
pub fn events(setup: &Setup, state: &State, rests: bool) -> Vec<Event> {
    let mut events = Vec::new();
    if state.gone {
        return events;
    }
    pods(setup, state, &mut events);
    kms(setup, state, &mut events);
    seal_pod(state, &mut events);
    if rests {
        events.push(with(state, "a minute passes", tick));
    }
    if state.faults > 0 {
        faults(setup, state, &mut events);
    }
    if state.wishes > 0 {
        wishes(setup, state, &mut events);
    }
    events
}

/// A state that some time later follows by itself, when nothing goes wrong any more.
pub fn progress(setup: &Setup, state: &State) -> State {
    let mut next = state.clone();
    let asked = asked_and_heard(setup, state);
    for (key, asked) in next.keys.iter_mut().zip(asked) {
        key.stored = asked.unwrap_or(key.stored);
        key.enforced = key.stored;
    }
    for release in 0..RELEASES {
        let opens = opens(setup, &next, release);
        let Some(set) = &mut next.sets[release] else {
            continue;
        };
        set.pods.retain(|pod| pod.leaving.is_none());
        for pod in &mut set.pods {
            if opens && pod.placed && pod.unsealed.is_none() {
                pod.unsealed = Some(0);
            }
        }
        set.pods.sort_unstable();
        if set != state.sets[release].as_ref().unwrap_or(&Set::default()) {
            next.set_changed(release);
        }
    }
    if next.seal == Seal::Running {
        next.seal = Seal::Offers;
    }
    // An old leader that never wakes is one that is gone.
    next.late = None;
    tick(&mut next);
    next
}

/// What the holders who answer are asked for.
fn asked_and_heard(setup: &Setup, state: &State) -> [Option<Images>; KEYS] {
    let mut asked = world::asked_of_holders(setup, state);
    for (index, asked) in asked.iter_mut().enumerate() {
        asked.take_if(|_| setup.size.silent & (1 << index) != 0);
    }
    asked
}

fn seal_pod(state: &State, events: &mut Vec<Event>) {
    let mut becomes = |what: &str, seal: Seal| {
        events.push(with(state, what, |state| state.seal = seal));
    };
    match state.seal {
        Seal::Running => becomes("the seal pod is done", Seal::Offers),
        Seal::Foreign => becomes("the pod of somebody else is deleted", Seal::Absent),
        _ => {}
    }
}

/// Seal pods that are stuck, fail, are lost, or are not ours; and a sealed Secret that somebody puts in our place.
fn seals(setup: &Setup, state: &State, events: &mut Vec<Event>) {
    let mut becomes = |what: &str, seal: Seal| {
        events.push(fault(state, what, |state| state.seal = seal));
    };
    match state.seal {
        Seal::Absent => becomes("somebody makes a pod of the seal pod's name", Seal::Foreign),
        Seal::Running => {
            becomes("the seal pod's image cannot be pulled", Seal::Stuck);
            becomes("the seal pod fails", Seal::Failed);
        }
        Seal::Offers => becomes("the seal pod is lost", Seal::Absent),
        Seal::Stuck | Seal::Failed | Seal::Foreign => {}
    }
    for release in (0..).take(RELEASES) {
        let images = setup.of_image(release);
        if state.alien & images != images {
            let what = format!("somebody puts a Secret in the place of v{}'s", release + 1);
            events.push(fault(state, what, |state| {
                state.blobs |= images;
                state.alien |= images;
            }));
        }
    }
}

fn with(state: &State, what: impl Into<String>, change: impl FnOnce(&mut State)) -> Event {
    let mut next = state.clone();
    change(&mut next);
    (what.into(), next)
}

fn fault(state: &State, what: impl Into<String>, change: impl FnOnce(&mut State)) -> Event {
    with(state, what, |state| {
        state.faults -= 1;
        change(state);
    })
}

/// Whether a chamber of the release opens the master key, by what Decrypt enforces.
pub fn opens(setup: &Setup, state: &State, release: usize) -> bool {
    let bit = 1 << release;
    let lets = |key: &&Key| !key.disabled && !key.fenced && key.enforced & bit != 0;
    let shares = state.keys[..setup.size.keys].iter().filter(lets).count();
    let blob = setup.size.external || state.blobs & bit != 0;
    setup.size.broken & bit == 0 && blob && shares >= setup.size.threshold
}

fn pods(setup: &Setup, state: &State, events: &mut Vec<Event>) {
    for (release, set) in state.sets.iter().enumerate() {
        let Some(set) = set else { continue };
        let opens = opens(setup, state, release);
        for (index, pod) in set.pods.iter().enumerate() {
            // Pods are sorted: of equal ones one is enough.
            if index > 0 && set.pods[index - 1] == *pod {
                continue;
            }
            let name = format!("chamber {index} of v{}", release + 1);
            let mut change = |what: &str, cost: u8, act: &dyn Fn(&mut Set)| {
                let mut next = state.clone();
                next.faults -= cost;
                if let Some(set) = &mut next.sets[release] {
                    act(set);
                }
                next.set_changed(release);
                events.push((format!("{name} {what}"), next));
            };
            if pod.leaving.is_some() {
                change("is gone", 0, &|set| {
                    set.pods.remove(index);
                });
                continue;
            }
            if pod.unsealed.is_none() && pod.placed && opens {
                change("unseals", 0, &|set| set.pods[index].unsealed = Some(0));
            }
            if state.faults > 0 {
                if pod.unsealed.is_some() {
                    change("crashes and restarts", 1, &|set| {
                        set.pods[index].unsealed = None;
                    });
                }
                change("is drained", 1, &|set| set.pods[index].leaving = Some(0));
            }
        }
    }
}

fn kms(setup: &Setup, state: &State, events: &mut Vec<Event>) {
    let asked = asked_and_heard(setup, state);
    let keys = state.keys.into_iter().zip(asked);
    for (index, (key, asked)) in keys.take(setup.size.keys).enumerate() {
        if key.enforced != key.stored {
            let what = format!("Decrypt enforces the policy of key {index}");
            events.push(with(state, what, |state| {
                state.keys[index].enforced = key.stored;
            }));
        }
        if let Some(images) = asked.filter(|images| key.stored != *images) {
            let what = format!("the holder of key {index} does as asked");
            events.push(with(state, what, |state| {
                state.keys[index].stored = images;
                state.policy_changed(index);
            }));
        }
        if setup.size.flips && index == 0 && key.stored & FOREIGN == 0 {
            let what = "the other writer of key 0 adds its image again";
            events.push(with(state, what, |state| {
                state.keys[0].stored |= FOREIGN;
                state.theirs &= !1;
                state.policy_changed(0);
            }));
        }
        if state.faults == 0 {
            continue;
        }
        let mut edit = |what: &str, images| {
            if images != key.stored {
                events.push(fault(
                    state,
                    format!("a foreign hand {what} key {index}"),
                    |state| {
                        state.keys[index].stored = images;
                        state.theirs &= !(1 << index);
                        state.policy_changed(index);
                    },
                ));
            }
        };
        edit("empties", 0);
        edit("adds an image to", key.stored | FOREIGN);
        let lowest = key.stored & key.stored.wrapping_neg();
        edit("takes an image from", key.stored & !lowest);
        of_others(setup, state, index, events);
    }
}

/// What others do to a key beside its list of images.
fn of_others(setup: &Setup, state: &State, index: usize, events: &mut Vec<Event>) {
    let key = state.keys[index];
    if setup.size.fences {
        let verb = if key.fenced {
            "takes the fence from"
        } else {
            "puts a fence around"
        };
        let what = format!("a foreign hand {verb} key {index}");
        events.push(fault(state, what, |state| {
            state.keys[index].fenced = !key.fenced;
            state.policy_changed(index);
        }));
    }
    if setup.size.fills && !key.full {
        let what = format!("somebody fills the tags of key {index}");
        events.push(fault(state, what, |state| state.keys[index].full = true));
    }
    if setup.size.others && key.owner != Owned::Theirs {
        let what = format!("another cluster tags key {index} as its own");
        events.push(fault(state, what, |state| {
            state.keys[index].owner = Owned::Theirs;
        }));
    }
    if key.owner != Owned::Nobody {
        let what = format!("something removes the tags of key {index}");
        events.push(fault(state, what, |state| {
            let key = &mut state.keys[index];
            (key.owner, key.committed, key.healing) = (Owned::Nobody, false, false);
            (key.progress, key.retired_for, key.revoked) = (None, None, 0);
        }));
    }
    for release in 0..RELEASES {
        let what = format!(
            "the holder of key {index} says that v{} was revoked",
            release + 1
        );
        events.push(fault(state, what, |state| {
            // An image is revoked, whatever manifest it runs under.
            state.keys[index].revoked |= setup.of_image(u8::try_from(release).unwrap_or(0));
        }));
        if state.faults == setup.size.faults {
            let what = format!(
                "the holder of key {index} says v{} was left last",
                release + 1
            );
            events.push(fault(state, what, |state| {
                state.keys[index].retired_for = u8::try_from(release).ok();
                state.lied = true;
            }));
        }
    }
    events.push(fault(
        state,
        format!("key {index} is disabled or enabled"),
        |state| {
            state.keys[index].disabled = !key.disabled;
        },
    ));
}

fn faults(setup: &Setup, state: &State, events: &mut Vec<Event>) {
    if state.seen.is_some() {
        events.push(fault(state, "the operator is killed", State::dies));
    }
    for (prometheus, what) in [
        (Prometheus::Fresh, "Prometheus is well"),
        (Prometheus::Stale, "Prometheus has old samples only"),
        (Prometheus::Absent, "Prometheus has no series"),
        (Prometheus::Down, "Prometheus is down"),
    ] {
        if prometheus != state.prometheus {
            events.push(fault(state, what, |state| state.prometheus = prometheus));
        }
    }
    for (answers, what) in [
        (Answers::True, "every chamber attests what is true"),
        (Answers::OneSilent, "one chamber of each release is silent"),
        (
            Answers::OneLies,
            "one chamber of each release attests something else",
        ),
    ] {
        if setup.size.gate != Gate::Disabled && answers != state.answers {
            events.push(fault(state, what, |state| state.answers = answers));
        }
    }
    if state.record != Record::default() {
        events.push(fault(state, "status is lost", |state| {
            state.record = Record::default();
        }));
    }
    if setup.size.forged && !state.lied {
        forged(setup, state, events);
    }
    if setup.size.vanishes {
        vanishing(state, events);
    }
    if setup.size.seals {
        seals(setup, state, events);
    }
    if setup.size.clock {
        events.push(fault(state, "the clock is set back", State::set_clock_back));
    }
    let backup = first_status(setup);
    if !setup.size.from_nothing && state.record != backup {
        events.push(fault(state, "status is restored from a backup", |state| {
            state.record = backup;
        }));
    }
}

/// `ReplicaSets` that somebody deletes, with what is kept of them or without; their chambers go at once.
fn vanishing(state: &State, events: &mut Vec<Event>) {
    for release in (0..RELEASES).filter(|release| state.sets[*release].is_some()) {
        for kept in [true, false] {
            let what = if kept { "" } else { " and what is kept of it" };
            let what = format!("somebody deletes the ReplicaSet of v{}{what}", release + 1);
            events.push(fault(state, what, |state| {
                state.set_changed(release);
                state.sets[release] = None;
                if !kept {
                    state.templates &= !(1 << release);
                }
            }));
        }
    }
}

/// What somebody writes who may write status and nothing else.
fn forged(setup: &Setup, state: &State, events: &mut Vec<Event>) {
    for release in (0..).take(RELEASES) {
        events.push(fault(
            state,
            format!("status is forged: v{} was verified", release + 1),
            |state| {
                state.record.current = Some(release);
                state.record.rollover = None;
            },
        ));
        events.push(fault(
            state,
            format!("status is forged: v{} was revoked", release + 1),
            |state| {
                state.record.revoked |= setup.of_image(release);
            },
        ));
        events.push(fault(
            state,
            format!("status is forged: v{} is the target", release + 1),
            |state| {
                let from = state.record.current;
                state.record.rollover = Some(Rollover {
                    from,
                    to: release,
                    mismeasured: false,
                    found: 0,
                    admitted: None,
                    retires: false,
                    progressed: 0,
                });
            },
        ));
    }
    events.push(fault(
        state,
        "status is forged: v3 is the target, and Retire has begun",
        |state| {
            let from = state.record.current;
            state.record.rollover = Some(Rollover {
                from,
                to: 2,
                mismeasured: false,
                found: 0,
                admitted: None,
                retires: true,
                progressed: 0,
            });
        },
    ));
    if state.record.rollover.is_some() {
        forged_before(state, events);
        let rollover = state.record.rollover.as_ref();
        let target = rollover.and_then(|one| state.sets.get(usize::from(one.to))?.as_ref());
        let runs = target.is_some_and(|set| !set.pods.is_empty());
        if runs {
            events.push(fault(
                state,
                "status is forged: the target is another image",
                |state| {
                    if let Some(rollover) = &mut state.record.rollover {
                        rollover.mismeasured = true;
                    }
                },
            ));
        }
        events.push(fault(
            state,
            "status is forged: Retire has begun",
            |state| {
                if let Some(rollover) = &mut state.record.rollover {
                    rollover.retires = true;
                }
            },
        ));
    }
}

/// What status calls the release before, and what ran last, in the middle of a rollover.
fn forged_before(state: &State, events: &mut Vec<Event>) {
    let releases = (0..).take(RELEASES).map(Some).chain([None]);
    for from in releases {
        for current in [state.record.current, from] {
            let what = format!("status is forged: {from:?} was before, {current:?} ran last");
            events.push(fault(state, what, |state| {
                state.record.current = current;
                if let Some(rollover) = &mut state.record.rollover {
                    rollover.from = from;
                }
            }));
        }
    }
}

/// Status of a cluster that has settled on release 0.
pub fn first_status(setup: &Setup) -> Record {
    if setup.size.from_nothing {
        return Record::default();
    }
    Record {
        current: Some(0),
        rollovers: 1,
        committed: !setup.size.external,
        ended: Some(AGE),
        ..Record::default()
    }
}

fn wishes(setup: &Setup, state: &State, events: &mut Vec<Event>) {
    let mut wish = |what: String, change: &dyn Fn(&mut State)| {
        events.push(with(state, what, |state| {
            state.wishes -= 1;
            change(state);
        }));
    };
    for release in (0..).take(RELEASES) {
        if release != state.asked.release {
            wish(format!("the user wants v{}", release + 1), &|state| {
                state.asked.release = release;
                state.approved |= 1 << release;
            });
        }
        // One image under two manifests would be two images that are revoked.
        if state.asked.revoke & (1 << release) == 0 && !setup.size.manifests {
            wish(format!("the user revokes v{}", release + 1), &|state| {
                state.asked.revoke |= 1 << release;
            });
        }
    }
    wish("the user aborts".to_owned(), &|state| {
        state.asked.abort += 1;
    });
    wish("the user retries".to_owned(), &|state| {
        state.asked.retry += 1;
    });
    wish("the user pauses or resumes".to_owned(), &|state| {
        state.asked.paused = !state.asked.paused;
    });
    for replicas in 0..=CHAMBERS {
        if setup.size.scales && replicas != state.asked.replicas {
            wish(format!("the user wants {replicas} chambers"), &|state| {
                state.asked.replicas = replicas;
            });
        }
    }
    for index in (0..setup.size.keys).filter(|_| setup.size.remanages) {
        let what = format!("the user changes who manages key {index}");
        wish(what, &|state| state.asked.observed ^= 1 << index);
    }
    if setup.size.corrects && !state.asked.corrected && !state.sealed && state.blobs == 0 {
        wish("the user corrects the ARN of key 0".to_owned(), &|state| {
            correct(setup, state);
        });
    }
    if setup.size.others && !state.asked.transfer {
        wish(
            "the user takes over the other cluster's keys".to_owned(),
            &|state| {
                state.asked.transfer = true;
            },
        );
    }
    if !state.asked.deleting {
        wish("the user deletes the resource".to_owned(), &|state| {
            state.asked.deleting = true;
            state.gone = !state.finalizer;
        });
    }
}

/// Key 0 of the spec is another one from now on: nobody has written to it, or another cluster has.
fn correct(setup: &Setup, state: &mut State) {
    state.asked.corrected = true;
    let owner = if setup.size.others {
        Owned::Theirs
    } else {
        Owned::Nobody
    };
    state.keys[0] = Key {
        owner,
        ..Key::default()
    };
    state.record.written[0] = None;
    state.policy_changed(0);
}

/// A minute passes.
fn tick(state: &mut State) {
    state.grow_older();
    for key in &mut state.keys {
        key.healing = false;
    }
    // A policy write is sent within its time-out, or never.
    state.late = state
        .late
        .take()
        .filter(|late| matches!(late.order, Order::Sizes(_)));
}
