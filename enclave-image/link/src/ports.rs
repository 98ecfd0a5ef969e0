//! vsock ports of an enclave and its parent.
//!
//! vsock has no namespaces: all pods of a node share the parent's ports, so what the parent listens on carries the
//! enclave's CID.

/// The enclave listens: one connection of its host, with the frames of this crate.
pub const AGENT: u32 = 5000;
/// The enclave listens: each connection is one to the workload's TCP port.
pub const INGRESS: u32 = 5001;
/// The parent listens where `nitro-cli` started the enclave: one byte 0xB7, echoed.
pub const HEARTBEAT: u32 = 9000;
/// The parent itself, from inside an enclave.
pub const PARENT_CID: u32 = 3;

/// Bytes of one write at most: a vsock device may cut longer ones into packets of several parts, which not every backend
/// takes.
pub const CHUNK: usize = 16 * 1024;

const RELAY: u32 = 0x4B4D_0000;

/// The parent listens for this enclave: HTTP `CONNECT host:443`, then TLS to that KMS endpoint.
pub const fn relay(cid: u32) -> u32 {
    RELAY.wrapping_add(cid)
}
