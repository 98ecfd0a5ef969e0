//! The agent against a KMS that enforces its key policies and a security module under a test root.
#![allow(clippy::unwrap_used, clippy::panic)] // Tests may.

mod attempts;
mod bent;
mod chamber;
mod hostile;
mod life;
mod office;
mod rewrapping;
mod sealing;
mod shown;
mod successors;
mod world;
