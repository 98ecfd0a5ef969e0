//! What the host and the agent inside the enclave say to each other.
//!
//! One duplex byte stream (vsock in production) carries frames: version byte, length (4 bytes, big-endian), JSON.
//! Neither side trusts the other: frames are size-limited, unknown messages are errors, not panics.

mod connection;
mod error;
mod frame;
mod message;
pub mod ports;

pub use connection::{Link, Receiver, Sender, connect};
pub use error::LinkError;
pub use frame::{MAX_FRAME, VERSION};
pub use message::{Credentials, SealRequest, ShareResult, Start, Task, ToAgent, ToHost, Wanted};
