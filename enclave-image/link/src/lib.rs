//! What the host and the agent inside the enclave say to each other.
//!
//! One duplex byte stream (vsock in production) carries frames: version byte, length (4 bytes, big-endian), JSON.
//! Neither side trusts the other: frames are size-limited, unknown messages are errors, not panics.

mod connection;
mod error;
mod frame;
mod message;
mod parse;
pub mod ports;

pub use connection::{Link, Receiver, Sender, connect};
pub use error::LinkError;
pub use frame::VERSION;
pub use message::{Credentials, SealRequest, ShareResult, Start, Task, ToAgent, ToHost, Wanted};

/// Greatest length of a frame's JSON in bytes: the longest blob as base64 needs 86 KiB of it.
pub const MAX_FRAME: usize = 256 * 1024;
