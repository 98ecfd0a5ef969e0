//! What becomes of a state when nothing goes wrong any more: it settles, or stops for what is there.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use rollover::{Action, Plan, Reason, World};

use crate::causes;
use crate::checks;
use crate::environment;
use crate::operator;
use crate::setup::Setup;
use crate::state::State;
use crate::task::Search;
use crate::tell;
use crate::violation::Violation;

/// Steps until then, at most.
const CALM: usize = 400;
/// Actions that are told of a circle.
const CIRCLE: usize = 8;

/// States of which it is known that all goes well from there, by hash.
#[derive(Debug, Default)]
pub struct Calm(HashSet<u64>);

impl Calm {
    /// Without further faults, a state settles, stops with a cause, or waits for a person. A broken law tells what was done last.
    ///
    /// # Errors
    ///
    /// The law that is broken on the way; law 0 where it has no end.
    pub fn ends(&mut self, setup: &Setup, search: Search, state: &State) -> Result<(), Violation> {
        let mut done = VecDeque::new();
        self.follow(setup, search, state, &mut done)
            .map_err(|violation| {
                let done: Vec<_> = done.into();
                let message = format!("{}; after: {}", violation.message, done.join("; "));
                Violation::of(violation.law, message)
            })
    }

    fn follow(
        &mut self,
        setup: &Setup,
        search: Search,
        state: &State,
        done: &mut VecDeque<String>,
    ) -> Result<(), Violation> {
        let mut way = HashSet::new();
        let mut state = state.clone();
        (state.faults, state.wishes, state.late) = (0, 0, None);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        loop {
            let hash = hasher.hash_one(&state);
            if state.gone || self.0.contains(&hash) {
                break;
            }
            let returns = !way.insert(hash);
            let mut looked = state.clone();
            let (world, plan) = operator::decide(setup, search.mutant, &mut looked)?;
            if let Plan::Settled { .. } = plan {
                checks::rests(setup, &looked)?;
                break;
            }
            if returns {
                stops(setup, &looked, &plan)?;
                break;
            }
            state = match &plan {
                Plan::Act { action, .. } => {
                    tell_last(done, action);
                    act(setup, search, &looked, &world, action)?
                }
                _ => environment::progress(setup, &looked),
            };
            state.place(setup.size.room);
            if way.len() == CALM {
                return Err(Violation::of(0, "neither settles nor stops"));
            }
        }
        self.0.extend(way);
        Ok(())
    }
}

fn tell_last(done: &mut VecDeque<String>, action: &Action) {
    done.push_back(tell::action(action));
    if done.len() > CIRCLE {
        done.pop_front();
    }
}

/// An action is done whole, and recorded.
fn act(
    setup: &Setup,
    search: Search,
    looked: &State,
    world: &World,
    action: &Action,
) -> Result<State, Violation> {
    if search.fuse {
        operator::fuse(world, action)?;
    }
    let parts = operator::parts(setup, world, action)?;
    let mut next = operator::carry_out(setup, search.mutant, looked, &parts, None)?;
    operator::note(setup, &mut next, world, action)?;
    Ok(next)
}

/// A state that was there before comes again, whatever time passes: nothing but a person ends what it waits for.
fn stops(setup: &Setup, state: &State, plan: &Plan) -> Result<(), Violation> {
    let reason = match plan {
        Plan::Block { obstacle, .. } => Some(obstacle.reason()),
        Plan::Wait { obstacle, .. } => {
            Some(obstacle.reason()).filter(|reason| waits_for_a_person(setup, *reason))
        }
        _ => None,
    };
    match reason {
        Some(reason) => {
            causes::check(setup, state, reason)?;
            checks::nothing_revoked_is_left(setup, state).map_err(|found| {
                Violation::of(found.law, format!("{}, for {reason}", found.message))
            })
        }
        None => Err(Violation::of(0, format!("{plan:?} never ends"))),
    }
}

/// Waits that nothing in the small world ends by itself.
fn waits_for_a_person(setup: &Setup, reason: Reason) -> bool {
    // Who never answers holds up what needs that key: not where the spec accepts that it is at risk.
    let silent = setup.size.silent;
    let few = usize::try_from(silent.count_ones()).is_ok_and(|few| few < setup.size.threshold);
    let silent = silent & !setup.size.accepted != 0 || silent != 0 && !few;
    let full = setup.size.room != 0;
    (silent && reason == Reason::AwaitingKeyHolder)
        || (full && reason == Reason::ChamberUnschedulable)
        || (setup.size.seals && reason == Reason::SealFailed)
        || (setup.size.fills && reason == Reason::KeyRefusesWrite)
        || matches!(
            reason,
            Reason::Paused
                | Reason::PrometheusUnavailable
                | Reason::MetricsInconclusive
                | Reason::AttestationRefused
                | Reason::AttestationMissing
                | Reason::ChamberSealed
                | Reason::ChambersNotReady
        )
}
