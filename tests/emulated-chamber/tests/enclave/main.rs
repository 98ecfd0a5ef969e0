//! Enclave image files, booted: `make enclave` builds them, says where they are, and runs these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may.

mod answers;
mod authority;
mod bent;
mod boots;
mod hostile;
mod manifests;
mod memory;
mod refusals;
mod rights;
mod world;
