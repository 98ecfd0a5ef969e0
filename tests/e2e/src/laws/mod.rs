//! The laws, checked over what really happened: the merged audit logs of API server and KMS emulator.

mod audit_event;
mod audit_replay;
mod replay;

pub use audit_replay::AuditReplay;
