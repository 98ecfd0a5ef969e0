//! The user's program.

mod config;
mod process;
mod sweep;

pub use config::{Config, ConfigError};
pub use process::{Output, Process};
