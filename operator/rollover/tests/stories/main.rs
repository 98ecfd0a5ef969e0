//! Stories: the planner plays against a world of its own, turn by turn. One binary, because each of them links the
//! whole policy engine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod claims;
mod deletions;
mod failures;
mod gate;
mod generations;
mod keys;
mod laws;
mod manifests;
mod objects;
mod play;
mod proofs;
mod releases;
mod runbook;
mod settled;
mod steps;
mod transfers;
mod verbs;
