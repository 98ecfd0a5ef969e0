//! The `ChamberCluster` resource: types, validation rules, conditions, names.
//!
//! Types only: no client, no async. The planner repeats every rule of the schema, so that an
//! API server with an older CRD cannot let a fault through.

pub mod conditions;
pub mod names;
mod schema;
mod spec;
mod status;

pub use spec::{
    Attestation, ChamberCluster, ChamberClusterSpec, Chambers, DeletionPolicy, DriftPolicy,
    KeyPolicySettings, Keys, Management, ManifestBody, ManifestKind, ManifestSignature,
    ManifestSpec, MeasurementSpec, OnFailure, Profile, Prometheus, Queries, Release, Rollover,
    Sealing, Share, Verification,
};
pub use status::{
    AccessStatus, ChamberClusterStatus, ChamberStatus, DependsOn, DesiredPolicy, FailureStatus,
    FoundStatus, KeyPlanStatus, KeyStatus, KeyWriteStatus, ManifestStatus, Outcome, PlanStatus,
    ReleaseStatus, RolloverRecord, RolloverStatus, VerbsStatus,
};
