//! The emulator as AWS's own Rust clients see it, over loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper fails its test"
)]

mod attacks;
mod decrypt;
mod enclave;
mod grants;
mod knobs;
mod matrix;
mod policies;
mod process;
mod raw;
mod sign;
mod states;
mod sts;
mod tls;
mod world;
