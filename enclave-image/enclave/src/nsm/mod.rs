//! The Nitro Security Module as the agent's `Nsm`: CBOR over `/dev/nsm` (AWS's nsm-api, and uapi/linux/nsm.h).

mod codec;
mod device;
mod module;

pub use device::Device;
pub use module::{Module, Transport};
