//! Tests of the cluster manifest through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may.

mod authorities;
mod blob;
mod body;
mod common;
mod golden;
mod sealer;
mod succession;
