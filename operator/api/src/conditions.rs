//! Condition types of a `ChamberCluster` (kstatus words where it has them).

/// Chambers serve: at least `replicas - maxUnavailable` are unsealed.
pub const READY: &str = "Ready";
/// Every key's policy, as last read, holds exactly the live releases.
pub const POLICIES_IN_SYNC: &str = "PoliciesInSync";
/// No rollover is in flight and the spec's release is the current one.
pub const ROLLOVER_COMPLETE: &str = "RolloverComplete";
/// The operator is working towards the spec (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// The operator cannot go on without a person, or a deadline has passed (kstatus).
pub const STALLED: &str = "Stalled";
/// Retiring a measurement binds every principal, not the enclave role alone (profile Pinned).
pub const RETIREMENT_BINDING: &str = "RetirementBinding";
/// A key of the spec is disabled, pending deletion or unreadable.
pub const KEY_AT_RISK: &str = "KeyAtRisk";
/// Nobody but the authority chooses master key and keys: chambers take its manifests only, and the keys open under the newest one alone.
pub const MANIFEST_BINDING: &str = "ManifestBinding";

/// All of them: a condition of another type is somebody else's.
pub const ALL: [&str; 8] = [
    READY,
    POLICIES_IN_SYNC,
    ROLLOVER_COMPLETE,
    RECONCILING,
    STALLED,
    RETIREMENT_BINDING,
    KEY_AT_RISK,
    MANIFEST_BINDING,
];
