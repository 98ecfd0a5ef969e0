//! The laws, checked over what really happened: the merged audit logs of API server and KMS emulator.

mod happening;
mod ledger;
mod replay;

pub use ledger::Ledger;
