//! Breadth first through every state that can be reached.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

use rollover::Plan;

use crate::calm::Calm;
use crate::environment::{self, Event};
use crate::operator::{self, Part};
use crate::setup::{Setup, Size};
use crate::state::{
    AGE, Answers, Asked, FOREIGN, KEYS, Key, Late, Owned, Pod, Prometheus, RELEASES, Seal, Set,
    State,
};
pub use crate::task::Search;
use crate::tell;
use crate::violation::Violation;

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// Distinct states.
    pub states: usize,
    /// Steps from one state to another.
    pub transitions: usize,
    /// Every state that can be reached was seen.
    pub complete: bool,
    /// The first broken law, with the way there.
    pub broken: Option<(Violation, Vec<String>)>,
}

/// The first state.
pub fn first(setup: &Setup) -> State {
    let settled = !setup.size.from_nothing;
    let sealed = settled && !setup.size.external;
    let key = |index: usize| {
        // The operator tags the keys that it writes.
        let tagged = settled && setup.size.observed & (1 << index) == 0;
        // Somebody else's release on all keys, and on the second one the target, too.
        let stored = match (setup.size.adopts, index) {
            (true, 1) => FOREIGN | 1,
            (true, _) => FOREIGN,
            (false, _) => u8::from(settled),
        };
        Key {
            stored,
            enforced: stored,
            disabled: false,
            fenced: false,
            full: false,
            owner: if tagged { Owned::Ours } else { Owned::Nobody },
            healing: false,
            committed: tagged && sealed,
            progress: tagged.then_some((1, true)),
            retired_for: tagged.then_some(0),
            revoked: 0,
        }
    };
    let mut sets = [const { None }; RELEASES];
    if settled {
        let pod = Pod {
            unsealed: Some(AGE),
            leaving: None,
            placed: true,
        };
        sets[0] = Some(Set {
            replicas: setup.size.chambers,
            pods: vec![pod; usize::from(setup.size.chambers)],
        });
    }
    State {
        asked: Asked {
            release: u8::from(settled),
            paused: false,
            abort: 0,
            retry: 0,
            revoke: 0,
            observed: setup.size.observed,
            replicas: setup.size.chambers,
            transfer: false,
            corrected: false,
            deleting: false,
        },
        record: environment::first_status(setup),
        approved: 1 | 1 << u8::from(settled),
        verified: settled.then_some(0),
        lied: false,
        finalizer: false,
        gone: false,
        sets,
        templates: u8::from(settled),
        blobs: if sealed { setup.of_image(0) } else { 0 },
        alien: 0,
        seal: Seal::Absent,
        sealer: 0,
        sealed,
        keys: std::array::from_fn::<_, KEYS, _>(key),
        theirs: if setup.size.adopts {
            (1 << setup.size.keys) - 1
        } else {
            0
        },
        seen: None,
        witnessed: None,
        fenced: false,
        prometheus: Prometheus::Fresh,
        answers: Answers::True,
        late: None,
        faults: setup.size.faults,
        wishes: setup.size.wishes,
    }
}

/// Searches a small world.
///
/// # Errors
///
/// The world cannot be built.
pub fn run(size: Size, search: Search) -> Result<Found, String> {
    let setup = Setup::new(size)?;
    let mut known = Known::default();
    let mut calm = Calm::default();
    let mut queue = VecDeque::from([first(&setup)]);
    known.enter(&queue[0], None);
    let (mut transitions, mut broken) = (0, None);
    while let Some(state) = queue.pop_front() {
        let here = known.index(&state);
        let step = successors(&setup, search, &state).and_then(|next| {
            calm.ends(&setup, search, &state)?;
            Ok(next)
        });
        let next = match step {
            Ok(next) => next,
            Err(violation) => {
                broken = Some((violation, known.way(&setup, search, here)));
                break;
            }
        };
        for (ordinal, (_, mut state)) in next.into_iter().enumerate() {
            state.place(setup.size.room);
            transitions += 1;
            if known.len() < search.limit && known.enter(&state, Some((here, ordinal))) {
                queue.push_back(state);
            }
        }
    }
    Ok(Found {
        states: known.len(),
        transitions,
        complete: queue.is_empty() && known.len() < search.limit,
        broken,
    })
}

/// Every state that can follow: the operator's turn whole, cut short or late, and whatever else can happen.
fn successors(setup: &Setup, search: Search, state: &State) -> Result<Vec<Event>, Violation> {
    if state.gone {
        return Ok(Vec::new());
    }
    let mut looked = state.clone();
    let (world, plan) = operator::decide(setup, search.mutant, &mut looked)?;
    let rests = !matches!(plan, Plan::Act { .. });
    let mut next = environment::events(setup, state, rests);
    if let Some(late) = &state.late {
        let mut woken = state.clone();
        operator::wake(setup, &mut woken)?;
        next.push((
            format!("the old leader wakes up and sends {:?}", late.order),
            woken,
        ));
    }
    let Plan::Act { step, action } = &plan else {
        if looked != *state {
            next.push(("the operator looks".to_owned(), looked));
        }
        return Ok(next);
    };
    if search.fuse {
        operator::fuse(&world, action)?;
    }
    let parts = operator::parts(setup, &world, action)?;
    let done = operator::carry_out(setup, search.mutant, &looked, &parts, None)?;
    let mut noted = done.clone();
    operator::note(setup, &mut noted, &world, action)?;
    if noted == looked {
        return Err(Violation::of(
            7,
            format!("{} changes nothing", tell::action(action)),
        ));
    }
    next.push((format!("{step}: {}", tell::action(action)), noted));
    if state.faults > 0 {
        cut_short(setup, search, &looked, &parts, &mut next)?;
    }
    Ok(next)
}

/// The operator dies after some of the calls, before status is written; or is late with all of them.
fn cut_short(
    setup: &Setup,
    search: Search,
    state: &State,
    parts: &[Part],
    next: &mut Vec<Event>,
) -> Result<(), Violation> {
    for which in 1..1_u8 << parts.len() {
        let mut cut = operator::carry_out(setup, search.mutant, state, parts, Some(which))?;
        cut.dies();
        cut.faults = state.faults - 1;
        next.push((
            format!("the operator dies, of its calls {which:b} were done"),
            cut,
        ));
    }
    for part in parts {
        let Part::Policy(key, expected, _) = part else {
            continue;
        };
        // Somebody else writes between the operator's look and its order.
        let mut raced = state.clone();
        raced.keys[usize::from(*key)].stored = expected ^ FOREIGN;
        raced.policy_changed(usize::from(*key));
        let mut raced = operator::carry_out(setup, search.mutant, &raced, parts, None)?;
        raced.dies();
        raced.faults = state.faults - 1;
        next.push((
            format!("somebody else writes key {key} just before the operator"),
            raced,
        ));
    }
    if let (None, Some(order)) = (&state.late, operator::late(state, parts)) {
        let mut frozen = state.clone();
        frozen.dies();
        frozen.faults = state.faults - 1;
        next.push((
            format!("the leader freezes before {order:?}"),
            frozen.clone(),
        ));
        let seen = state.as_read();
        frozen.late = Some(Late {
            record: state.record.clone(),
            asked: state.asked,
            revoked: seen.map(|key| key.revoked),
            order,
        });
        next.push(("the leader freezes, and will wake up".to_owned(), frozen));
    }
    Ok(())
}

/// States that were seen, by hash, each with where it was reached from.
struct Known {
    hasher: RandomState,
    second: RandomState,
    indices: HashMap<(u64, u64), u32>,
    parents: Vec<Option<(u32, u16)>>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            second: RandomState::new(),
            indices: HashMap::new(),
            parents: Vec::new(),
        }
    }
}

impl Known {
    fn len(&self) -> usize {
        self.parents.len()
    }

    fn hash(&self, state: &impl Hash) -> (u64, u64) {
        (self.hasher.hash_one(state), self.second.hash_one(state))
    }

    fn index(&self, state: &State) -> u32 {
        self.indices.get(&self.hash(state)).copied().unwrap_or(0)
    }

    /// Whether the state is new.
    fn enter(&mut self, state: &State, from: Option<(u32, usize)>) -> bool {
        let index = u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
        let hash = self.hash(state);
        if self.indices.contains_key(&hash) {
            return false;
        }
        self.indices.insert(hash, index);
        let from =
            from.map(|(parent, ordinal)| (parent, u16::try_from(ordinal).unwrap_or(u16::MAX)));
        self.parents.push(from);
        true
    }

    /// The way from the first state, told again.
    fn way(&self, setup: &Setup, search: Search, to: u32) -> Vec<String> {
        let mut ordinals = Vec::new();
        let mut here = to;
        while let Some(Some((parent, ordinal))) = self.parents.get(here as usize) {
            ordinals.push(*ordinal);
            here = *parent;
        }
        let mut state = first(setup);
        let mut way = Vec::new();
        for ordinal in ordinals.into_iter().rev() {
            let Ok(mut next) = successors(setup, search, &state) else {
                break;
            };
            let (what, mut after) = next.swap_remove(usize::from(ordinal));
            after.place(setup.size.room);
            way.push(what);
            state = after;
        }
        way.push(format!("{state:?}"));
        way
    }
}
