//! The laws (docs/rollover.md), as functions over what is observed and what is about to be done.
//!
//! The planner keeps them by construction. The controller runs them once more between plan and
//! act, as a fuse: they are written from other facts than the planner uses, so one slip is not enough.

mod blob;
mod chambers;
mod knowledge;
mod ours;
mod policies;
mod usable;

pub use crate::breach::Breach;
use crate::{Action, World};

/// A law as a function; `Err` says how the action would break it.
type Law = fn(&World, &Action) -> Result<(), String>;

/// Every law, by number.
const LAWS: [(u8, Law); 12] = [
    (1, usable::no_lock_out),
    (2, policies::no_early_trust),
    (3, chambers::no_lost_quorum),
    (4, chambers::no_blind_retirement),
    (5, usable::return_stays_possible),
    (6, knowledge::unknown_means_stop),
    (7, knowledge::replanning_is_harmless),
    (8, policies::the_admin_keeps_the_key),
    (9, policies::others_statements_stay),
    (10, policies::one_writer),
    (11, blob::the_blob_outlives_everything),
    (12, ours::nothing_that_is_not_ours),
];

/// Whether the action keeps every law.
pub fn check(world: &World, action: &Action) -> Result<(), Breach> {
    for (law, holds) in LAWS {
        holds(world, action).map_err(|message| Breach { law, message })?;
    }
    Ok(())
}
