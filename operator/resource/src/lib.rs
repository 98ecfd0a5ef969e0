//! A `ChamberCluster` as the planner reads it: the spec checked, the status as a record.
//!
//! The operator and `kubectl chamber plan` read a resource with the same eyes.

pub mod arn;
pub mod bounds;
mod fault;
pub mod manifest;
pub mod manifest_secret;
pub mod persisted_state;
pub mod pod;
pub mod release;
pub mod sealed_secret;
pub mod spec;
mod verification;

pub use fault::Fault;
