//! An authority of tests: what it signs for one cluster, and what a hostile host makes in its place.
//!
//! The same rows are tried on an agent in the test's own process, and on one in an enclave that QEMU boots.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // Only tests use it.

mod frames;
mod making;
mod module;
mod office;

pub use frames::{cut_frames, whole_frame};
pub use making::{
    core_of, foreign_documents, forged_manifests, other_blobs, other_requests, own_blobs,
    own_making,
};
pub use module::Module;
pub use office::{
    ACCOUNT, CLUSTER, Office, after, key, permit, request, rewrap, run_manifest, unseal,
};
