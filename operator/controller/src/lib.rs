//! The hands: observe, act, report.
//!
//! What is to be done is decided in the `rollover` crate; this one reads the world for it, carries
//! out one action at a time, and writes down what happened.

pub mod act;
pub mod bindings;
pub mod clock;
pub mod context;
pub mod election;
pub mod events;
pub mod fencing_token;
pub mod health;
pub mod hosts;
pub mod kms;
pub mod kubernetes;
pub mod lane;
mod locked;
pub mod objects;
pub mod observe;
pub mod pace;
pub mod prometheus;
pub mod reconcile;
pub mod refusals;
pub mod report;
pub mod run;
pub mod salvage;
pub mod server;
pub mod settings;
mod spread;
pub mod telemetry;
pub mod turn;
