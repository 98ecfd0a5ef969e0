//! The parent side in the pod: launches the enclave, serves metrics and health.
//!
//! [`run`] keeps one enclave running through a [`Launcher`], gives its agent the sealed blob and AWS credentials, and
//! turns the agent's reports into `/metrics`, `/healthz` and `/readyz`; `/attestation` passes a nonce to the enclave and
//! its document back, and `/sealed-blob` offers what a seal made. It holds no key and decides nothing.

mod chamber;
mod credentials;
mod environment;
mod exposition;
mod http;
mod ingress;
mod keys;
mod launcher;
mod metrics;
mod outcome;
mod proof;
mod pump;
mod relay;
mod session;
mod settings;
mod state;
mod supervisor;
mod termination;
#[cfg(test)]
mod tests;
mod traffic;
mod vsock;

pub use chamber::Chamber;
pub use environment::{EnvironmentError, signalled};
pub use launcher::{Enclave, Hypervisor, Launcher};
pub use outcome::Outcome;
pub use relay::{Dns, Resolver};
pub use settings::{SettingsError, start};
pub use supervisor::{Host, run};
pub use termination::conclude;
pub use vsock::{Vsock, VsockListener};
