//! What is tried at once, and how often.

use rollover::Action;

use super::outcome::Error;
use crate::act;

/// Times in a row that what changed under a turn is looked at again at once.
const CONFLICTS: u32 = 3;
/// Times in a row that the same action is done although nothing shows of it.
const REPEATS: u32 = 2;

/// What the turns of one run have tried, so that none is tried for ever without a pause.
#[derive(Debug, Default)]
pub struct Tries {
    conflicts: u32,
    last: Option<Action>,
    repeats: u32,
}

impl Tries {
    /// An action was done.
    pub fn moved(&mut self) {
        self.conflicts = 0;
    }

    /// Whether the world is looked at again at once after this error; counts it.
    pub fn looks_again(&mut self, error: &Error) -> bool {
        let again = error.is_stale() && self.conflicts < CONFLICTS;
        self.conflicts += u32::from(again);
        again
    }

    /// Whether an action that meets this error is tried again at once.
    pub(super) fn retries(&self, error: &act::Error) -> bool {
        error.is_stale() && self.conflicts < CONFLICTS
    }

    /// An action is about to be done.
    pub(super) fn begin(&mut self, action: &Action) -> Result<(), Error> {
        if self.last.as_ref() == Some(action) {
            self.repeats += 1;
        } else {
            self.repeats = 1;
            self.last = Some(action.clone());
        }
        if self.repeats > REPEATS {
            return Err(Error::NoProgress(action.to_string()));
        }
        Ok(())
    }
}
