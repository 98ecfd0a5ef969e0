//! The demo itself: one rollover, told as it happens, and judged at the end.

mod feed;
mod narrator;
mod printer;
mod rollover;
mod summary;

pub use rollover::{NAME, form, tell};
