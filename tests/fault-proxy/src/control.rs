//! What the test sees and orders: the calls so far, and the intercepts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::call::{Call, Kind};

/// When a call is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server never sees it.
    Before,
    /// The server has answered in full; the operator never learns it.
    After,
}

/// What becomes of a call that was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Kept until [`crate::FaultProxy::release`], and dropped then: the connection closes without an answer.
    Hold,
    /// Dropped at once.
    Drop,
    /// Kept until [`crate::FaultProxy::release`], and goes on then as if nothing had been.
    Delay,
    /// Goes on at once: it is only counted.
    Pass,
}

/// Which calls are caught, and how.
#[derive(Clone, Debug)]
pub struct Intercept {
    /// A call's name, or its first words: `PutKeyPolicy` stands for that of every key.
    pub call: String,
    /// So many such calls pass first.
    pub skip: usize,
    /// So many are caught then.
    pub times: usize,
    /// Before or after the server.
    pub moment: Moment,
    /// What becomes of them.
    pub then: Then,
}

/// A call that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Name of the call.
    pub name: String,
    /// What it can do.
    pub kind: Kind,
    /// The how manieth of its name since the mark, from 1.
    pub nth: usize,
    /// The server's HTTP status, where it has answered.
    pub status: Option<u16>,
}

impl Seen {
    /// Whether an operator can be killed here: everything but reads of the API server, which nobody can tell from none.
    pub fn is_point(&self) -> bool {
        matches!(self.kind, Kind::Write | Kind::Key)
    }

    /// Whether the server did what it was asked for, as far as is known.
    pub fn was_done(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }
}

/// Tells how many calls an intercept has caught.
pub struct Intercepted(watch::Receiver<usize>);

impl Intercepted {
    /// Returns when so many were caught.
    pub async fn caught(&mut self, times: usize) {
        if self.0.wait_for(|caught| *caught >= times).await.is_err() {
            // The intercept was taken away: it will never catch one more.
            std::future::pending::<()>().await;
        }
    }

    /// Caught so far.
    pub fn count(&self) -> usize {
        *self.0.borrow()
    }
}

struct Set {
    intercept: Intercept,
    met: usize,
    caught: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    counts: HashMap<String, usize>,
    intercepts: Vec<Set>,
    keys: Vec<String>,
    /// Marks so far: a call from before one is no longer known.
    marks: u64,
}

/// Shared by the test and the connections.
pub(crate) struct Control {
    state: Mutex<State>,
    /// Moves on when everything that is held is let go.
    released: watch::Sender<u64>,
}

/// What is to happen to one call.
pub(crate) struct Ticket {
    place: (u64, usize),
    stop: Option<(Moment, Then)>,
    caught: Option<Arc<watch::Sender<usize>>>,
    released: watch::Receiver<u64>,
}

/// The call was caught.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
pub(crate) struct Dropped;

impl Control {
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            released: watch::channel(0).0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the calls; counting starts anew.
    pub fn mark(&self) {
        let mut state = self.state();
        state.seen.clear();
        state.counts.clear();
        state.marks += 1;
    }

    /// The calls since the mark.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How many calls of this name came in since the mark.
    pub fn count(&self, name: &str) -> usize {
        self.state().counts.get(name).copied().unwrap_or(0)
    }

    pub fn set(&self, intercept: Intercept) -> Intercepted {
        let (caught, sprung) = watch::channel(0);
        self.state().intercepts.push(Set {
            intercept,
            met: 0,
            caught: Arc::new(caught),
        });
        Intercepted(sprung)
    }

    /// Takes all intercepts away and drops what they hold.
    pub fn release(&self) {
        self.state().intercepts.clear();
        self.released.send_modify(|times| *times += 1);
    }

    /// The keys that calls are about from now on.
    pub fn name_keys(&self, keys: &[String]) {
        self.state().keys = keys.to_vec();
    }

    /// The keys, in the order of their names.
    pub fn keys(&self) -> Vec<String> {
        self.state().keys.clone()
    }

    /// Counts a call and says what is to happen to it.
    pub fn arrive(&self, call: &Call) -> Ticket {
        let mut state = self.state();
        let count = state.counts.entry(call.name.clone()).or_default();
        *count += 1;
        let nth = *count;
        state.seen.push(Seen {
            name: call.name.clone(),
            kind: call.kind,
            nth,
            status: None,
        });
        let mut ticket = Ticket {
            place: (state.marks, state.seen.len() - 1),
            stop: None,
            caught: None,
            released: self.released.subscribe(),
        };
        for set in state
            .intercepts
            .iter_mut()
            .filter(|set| set.means(&call.name))
        {
            set.met += 1;
            if set.catches() && ticket.stop.is_none() {
                ticket.stop = Some((set.intercept.moment, set.intercept.then));
                ticket.caught = Some(Arc::clone(&set.caught));
            }
        }
        ticket
    }

    /// Notes what the server answered.
    pub fn answered(&self, ticket: &Ticket, status: u16) {
        let mut state = self.state();
        let (marks, index) = ticket.place;
        if marks == state.marks
            && let Some(seen) = state.seen.get_mut(index)
        {
            seen.status = Some(status);
        }
    }
}

impl Set {
    fn means(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.intercept.call.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// Whether the call that was just met is one to catch.
    fn catches(&self) -> bool {
        (self.intercept.skip + 1..=self.intercept.skip + self.intercept.times).contains(&self.met)
    }
}

impl Ticket {
    /// Whether the answer is to be kept from the operator.
    pub fn stops_after(&self) -> bool {
        matches!(self.stop, Some((Moment::After, _)))
    }

    /// Returns when the call may go on; an error where it is to be dropped.
    pub async fn pass(&mut self, moment: Moment) -> Result<(), Dropped> {
        let Some((_, then)) = self.stop.filter(|(stop, _)| *stop == moment) else {
            return Ok(());
        };
        if let Some(caught) = &self.caught {
            caught.send_modify(|times| *times += 1);
        }
        if matches!(then, Then::Hold | Then::Delay) {
            // Only the end of the proxy is an error here, and that lets go as well.
            self.released.changed().await.ok();
        }
        match then {
            Then::Hold | Then::Drop => Err(Dropped),
            Then::Delay | Then::Pass => Ok(()),
        }
    }
}
