//! Hardware of an emulated enclave: a security module and vsock as vhost-user devices, and QEMU.
