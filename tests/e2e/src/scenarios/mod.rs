//! The scenarios, one theme a file.

mod bad_input;
mod enclave;
mod examples;
mod fence;
mod manifest;
mod policies;
mod rollover;
mod steady;
mod verbs;

use anyhow::Result;
use futures::future::BoxFuture;

use crate::stage::Stage;

/// A scenario: what it is called and what it does.
pub struct Scenario {
    /// Name, and name of its namespace.
    pub name: &'static str,
    /// It turns what others would feel, or measures what others would spoil.
    pub alone: bool,
    /// Plays it.
    pub play: for<'a> fn(&'a Stage) -> BoxFuture<'a, Result<()>>,
}

/// A scenario from an async function of the same name.
macro_rules! scenario {
    ($module:ident :: $name:ident) => {
        scenario!($module::$name, false)
    };
    ($module:ident :: $name:ident, $alone:expr) => {
        Scenario {
            name: stringify!($name),
            alone: $alone,
            play: |stage| Box::pin($module::$name(stage)),
        }
    };
}

/// All of them.
pub const ALL: &[Scenario] = &[
    scenario!(rollover::five_steps),
    scenario!(rollover::external_sealing),
    scenario!(rollover::operator_killed),
    scenario!(rollover::back_to_the_release_before),
    scenario!(rollover::decrypt_lags_behind, true),
    scenario!(manifest::manifest_from_nothing),
    scenario!(manifest::manifest_on_the_way),
    scenario!(enclave::enclave_image_files),
    scenario!(policies::profile_pinned),
    scenario!(policies::keys_taken_over),
    scenario!(policies::dry_run_then_real),
    scenario!(verbs::broken_release_is_rolled_back, true),
    scenario!(verbs::aborted_and_revoked, true),
    scenario!(verbs::what_runs_is_revoked),
    scenario!(verbs::deleted_in_the_middle, true),
    scenario!(bad_input::refused_at_apply),
    scenario!(bad_input::operator_cannot_approve),
    scenario!(bad_input::unknown_key),
    scenario!(bad_input::key_of_another_cluster),
    scenario!(bad_input::policy_is_not_json),
    scenario!(bad_input::foreign_deny),
    scenario!(fence::fence_is_spoken_of),
    scenario!(bad_input::prometheus_missing),
    scenario!(bad_input::one_key_twice),
    scenario!(bad_input::sealed_secret_deleted),
    scenario!(examples::apply_as_written),
    scenario!(steady::settled_is_silent, true),
];
