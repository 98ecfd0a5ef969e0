//! The demo's parts: a cluster with everything the operator needs around it, and the eyes to watch a rollover.
//!
//! [`Environment`] is the way in: it starts the cluster, the KMS emulator and Prometheus, and installs the operator
//! with its chart. A [`Tenant`] is what one `ChamberCluster` needs at AWS; the end-to-end tests bring their own.

pub mod aws;
pub mod chambers;
pub mod cluster_host;
pub mod emulator;
pub mod environment;
pub mod kubernetes;
pub mod load;
pub mod manifests;
pub mod operator;
pub mod probe;
pub mod releases;
pub mod roots;
pub mod story;
pub mod wait;

pub use aws::{Credentials, Tenant};
pub use emulator::Emulator;
pub use environment::Environment;
pub use releases::{Release, Releases};
