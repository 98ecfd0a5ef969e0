//! Hardware of an emulated enclave: a security module and vsock as vhost-user devices, and QEMU.
//!
//! Two processes make one enclave: QEMU, which boots the image's kernel on an emulated x86-64, and `enclave-sim`, which
//! is the devices that only Nitro has. The security module signs under a test root that no real KMS knows.

mod daemon;
mod feature;
pub mod nsm;
pub mod pcrs;
mod qemu;
#[cfg(test)]
mod ring;
mod sockets;
pub mod vsock;

pub use daemon::{Daemon, Device, Memory};
pub use qemu::{Launch, Qemu, RunDir};
pub use sockets::Sockets;
