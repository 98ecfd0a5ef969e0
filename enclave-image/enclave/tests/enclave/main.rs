//! What of the enclave runs without one: codec, TLS, workload, a whole session.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may.

mod clock;
mod dependencies;
mod ingress;
mod local;
mod nsm;
mod roots;
mod session;
mod tls;
mod workload;
