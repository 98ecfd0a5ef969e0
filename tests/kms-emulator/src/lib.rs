//! A KMS and STS stand-in that enforces key policies and attestation, for tests and demonstrations.
//!
//! AWS's own clients speak to it unchanged (KMS over JSON 1.1, STS over the query protocol, both signed). Key
//! policies are evaluated on every call with the `key-policy` crate, attestation documents are verified against
//! a configured root, and answers to enclaves have the byte shape that KMS sends. A second port is for whoever
//! runs the test: faults, the audit log, and a foreign hand on key policies.
//!
//! It protects nothing: key material is derived from public key ids.

mod admin;
mod api;
mod arn;
mod attestation;
mod authorize;
mod ber;
mod ciphertext;
mod clock;
mod config;
mod emulator;
mod envelope;
mod error;
mod identity;
mod operations;
mod policy_text;
mod server;
mod sigv4;
mod sts;
mod tls;
mod wire;
mod world;

pub use config::{
    Config, ConfigError, CredentialConfig, GrantConfig, IdentityPolicyConfig, KeyConfig, KeySpec,
    PendingDeletionCode, RoleConfig, TlsConfig,
};
pub use server::{Server, StartError};
