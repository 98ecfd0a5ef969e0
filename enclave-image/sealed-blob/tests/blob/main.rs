//! Tests of the blob through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may.

mod binding;
mod common;
mod golden;
mod inner;
mod shares;
