//! Policies as values: the seed's template, documents of others, AWS's rules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod access;
mod adopt;
mod attacks;
mod canonical;
mod cases;
mod common;
mod completions;
mod deleted;
mod depends;
mod diff;
mod evaluate;
mod foreign_deny;
mod found;
mod infer;
mod lint;
mod nobody;
mod parse;
mod pinned;
mod project;
mod properties;
mod proven;
mod published;
mod rules;
mod template;
