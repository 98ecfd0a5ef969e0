//! A chamber whose enclave QEMU boots: the production host's library with QEMU in the hypervisor's place.

pub mod hypervisor;
pub mod vsock;
