//! The vsock device: streams between ports of the guest and unix sockets of the host.
//!
//! The mapping is that of `vhost-device-vsock`. Whoever wants port 5000 of the guest connects to `DIR/vsock`, sends
//! `CONNECT 5000` and a line feed, and reads `OK` with a number in one line; where nobody listens, the socket is closed
//! instead. When the guest connects to port 9000 of its parent (CID 3, or 2), that is a connection to `DIR/vsock_9000`;
//! where nobody listens, the guest gets a reset at once.

mod caller;
mod connection;
mod credit;
mod device;
mod endpoint;
mod packet;
mod switch;

pub use device::{SOCKETS, VsockDevice};
pub use switch::Switch;

#[cfg(test)]
mod tests;
