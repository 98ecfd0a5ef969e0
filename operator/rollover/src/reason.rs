//! Why the operator waits or stops: one variant, one word in status, one line in docs/runbook.md.

use strum::{Display, EnumIter, IntoStaticStr};

/// Why the operator waits or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumIter, IntoStaticStr)]
pub enum Reason {
    /// `spec.rollover.paused` is set.
    Paused,
    /// `spec.rollover.dryRun` is set.
    DryRun,
    /// A field of the spec cannot be used; the schema would have refused it.
    InvalidSpec,
    /// The target's measurement is not 96 lower-case hex characters.
    MalformedMeasurement,
    /// The target's measurement is all zeros: any enclave in debug mode.
    ZeroMeasurement,
    /// More shares are needed than there are keys.
    ThresholdTooHigh,
    /// The pod template has no container `enclave`.
    EnclaveContainerMissing,
    /// Another `ChamberCluster` has the same clusterId.
    DuplicateClusterId,
    /// Another `ChamberCluster` names the same key, or two shares name one key or replicas of one.
    DuplicateKey,
    /// The key's tag names another owner.
    KeyOwnedByAnother,
    /// The key has lost this cluster's tag, and its policy is not what this cluster wrote last.
    ClaimLost,
    /// The key's lost tag was put back a moment ago: another cluster's claim would show now.
    ClaimSettling,
    /// KMS refuses what would change this key; it is tried again.
    KeyRefusesWrite,
    /// The key does not exist.
    KeyNotFound,
    /// The key, its role or KMS cannot be reached or refuses.
    KeyUnreadable,
    /// The key is disabled, pending deletion, or in another state that cannot decrypt.
    KeyNotEnabled,
    /// The key's policy is no policy document.
    PolicyUnparsable,
    /// The key's policy lacks the five statements.
    PolicyNotOurs,
    /// The key's policy names another cluster's enclave role.
    KeyOfAnotherCluster,
    /// The policy, as it is or as it would be written, has an error.
    PolicyUnsound,
    /// A policy names a role or user that was deleted: KMS refuses every policy that holds its id.
    DeletedPrincipal,
    /// A foreign Deny would keep the target from decrypting.
    ForeignDeny,
    /// Whether a foreign Deny keeps the target from decrypting depends on what nobody said.
    PolicyDependsOnUnknown,
    /// A policy admits a measurement that is neither the target nor the current release.
    UnknownMeasurement,
    /// Policies were written again and again: something else writes them, too.
    PolicyConflict,
    /// A policy was changed by a foreign hand, and `driftPolicy` is Report.
    PolicyDrift,
    /// Status is older than what the keys' tags say: it was restored from a backup.
    StatusBehindKeys,
    /// Status says what neither the spec, nor a `ReplicaSet`, nor a key knows of: somebody else wrote it.
    StatusForged,
    /// The holder of an Observed key has not yet changed its policy.
    AwaitingKeyHolder,
    /// The policies were just changed and are given time to take effect.
    Settling,
    /// The seal pod is at work.
    Sealing,
    /// The seal pod failed; it is tried again.
    SealFailed,
    /// The seal pod offered something that is no blob of this cluster.
    SealInvalid,
    /// The release's image does nothing without a cluster manifest, and the spec has none that it would believe.
    ManifestWanted,
    /// The cluster manifest is of another master key, or names other sealers than the blob's.
    ManifestMismatch,
    /// The cluster was sealed before, but its sealed Secret is gone.
    BlobLost,
    /// A sealed Secret is there but does not fit the spec or the keys.
    BlobMismatch,
    /// A Secret, pod, Service, budget or `ReplicaSet` of a name of ours was made by somebody else.
    NotOurs,
    /// The API server refuses an object that the cluster needs.
    ObjectRefused,
    /// The `ReplicaSet` of a release is gone, and with it the template that it ran.
    TemplateLost,
    /// A chamber was started and is not unsealed yet.
    ChamberSealed,
    /// A chamber cannot start (image, crash).
    ChamberFailing,
    /// No node has room for a chamber.
    ChamberUnschedulable,
    /// A chamber of the old release is still terminating.
    ChamberTerminating,
    /// A chamber should be gone since long; its node is lost.
    NodeLost,
    /// A disruption budget does not allow that a chamber is stopped now.
    DisruptionBudget,
    /// The target failed or was aborted; it is not started again.
    ReleaseFailed,
    /// The image of the release was revoked.
    MeasurementRevoked,
    /// The resource is being deleted.
    Deleting,
    /// The operator's configuration does not give this namespace the key or role.
    NamespaceNotBound,
    /// Fewer chambers than wanted are unsealed, with no rollover in flight.
    ChambersNotReady,
    /// Chambers run that no record explains.
    UnexpectedChambers,
    /// The soak time is not over.
    Soaking,
    /// Prometheus cannot be reached or refuses the query.
    PrometheusUnavailable,
    /// A chamber has no sample, or one from before its start.
    MetricsInconclusive,
    /// A chamber unsealed without a share whose key the spec does not accept at risk.
    ShareUnopened,
    /// KMS rejected an attestation of a chamber during the soak time.
    AttestationRejected,
    /// A chamber's attestation proves something else than it should: another image, cluster, blob, key or node.
    AttestationRefused,
    /// A chamber gives no attestation that could be judged, and the spec demands one.
    AttestationMissing,
    /// A call to KMS or the API server failed; it is tried again.
    ActionFailed,
    /// A law would be broken by the next action: a defect of the operator.
    LawBroken,
}

impl Reason {
    /// Whether the answer changes only by reading the keys again.
    pub fn is_about_keys(self) -> bool {
        matches!(
            self,
            Self::KeyOwnedByAnother
                | Self::ClaimLost
                | Self::ClaimSettling
                | Self::KeyNotFound
                | Self::KeyUnreadable
                | Self::KeyNotEnabled
                | Self::PolicyUnparsable
                | Self::PolicyNotOurs
                | Self::KeyOfAnotherCluster
                | Self::PolicyUnsound
                | Self::DeletedPrincipal
                | Self::ForeignDeny
                | Self::PolicyDependsOnUnknown
                | Self::UnknownMeasurement
                | Self::PolicyConflict
                | Self::PolicyDrift
                | Self::DryRun
                | Self::StatusBehindKeys
                | Self::StatusForged
                | Self::AwaitingKeyHolder
                | Self::BlobLost
                | Self::BlobMismatch
                | Self::NotOurs
        )
    }

    /// Whether waiting for this speaks against the target of the rollover.
    pub fn blames_the_target(self) -> bool {
        matches!(
            self,
            Self::ChamberSealed
                | Self::ChamberFailing
                | Self::AttestationRejected
                | Self::AttestationRefused
        )
    }

    /// What kstatus is to make of it.
    pub fn outlook(self) -> Outlook {
        match self {
            Self::KeyUnreadable
            | Self::KeyRefusesWrite
            | Self::ObjectRefused
            | Self::PrometheusUnavailable
            | Self::ActionFailed => Outlook::NeedsACureWhereItLasts,
            Self::Settling
            | Self::ClaimSettling
            | Self::Sealing
            | Self::ChamberSealed
            | Self::ChamberTerminating
            | Self::DisruptionBudget
            | Self::Deleting
            | Self::ChambersNotReady
            | Self::Soaking
            | Self::MetricsInconclusive
            | Self::AttestationMissing => Outlook::WaitsByItself,
            Self::Paused | Self::DryRun | Self::AwaitingKeyHolder | Self::ManifestWanted => {
                Outlook::WaitsForAPerson
            }
            _ => Outlook::NeedsACure,
        }
    }
}

/// What becomes of a stop, in the terms of kstatus: only what needs a cure is `Stalled` before a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It ends by itself.
    WaitsByItself,
    /// A person has asked for it, or is asked: nothing is wrong.
    WaitsForAPerson,
    /// One call failed. The next one may not: only where it lasts, somebody has to put something right.
    NeedsACureWhereItLasts,
    /// It stays until somebody puts something right.
    NeedsACure,
}
