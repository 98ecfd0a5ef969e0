//! A real Kubernetes control plane and node in one namespace of this machine.
//!
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet, kube-proxy
//! and `CoreDNS` live in network, mount and pid namespaces of their own: ports never clash, several
//! clusters run side by side, and killing one process ends everything. docs/development.md tells more.

pub mod binaries;
mod cgroups;
mod command;
mod components;
mod configs;
mod control;
pub mod enclave_images;
mod go;
pub mod host;
pub mod images;
pub mod inside;
pub mod keeper;
mod mounts;
mod network;
mod oci;
mod paths;
mod pki;
pub mod product_images;
pub mod requirements;
mod run_dir;

pub use configs::INSTANCE;
pub use host::Cluster;
pub use network::Subnet;
