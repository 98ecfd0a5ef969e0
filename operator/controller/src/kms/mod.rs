//! The keys: clients through an assumed role per key, reading, writing, tagging.

mod counted;
mod error;
mod external_id;
mod keyring;
mod lists;
pub mod read;
pub mod write;

pub use error::Error;
pub use keyring::{Access, Keyring};
