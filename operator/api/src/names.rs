//! Names, labels and annotations of everything the operator makes.

/// Field manager of every server-side apply, and the prefix of the operator's own objects.
pub const MANAGER: &str = "chamber-operator";
/// The container that runs the release's image.
pub const ENCLAVE_CONTAINER: &str = "enclave";
/// The container port that serves `/metrics`, `/healthz` and `/readyz`.
pub const METRICS_PORT: &str = "metrics";
/// Key of the blob in a sealed Secret, and of the environment variable's source.
pub const BLOB_KEY: &str = "blob";

/// Who made the object (recommended Kubernetes label).
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Name of the `ChamberCluster` that an object belongs to.
pub const CLUSTER_LABEL: &str = "chamber.dev/cluster";
/// Revision of the release that a pod runs.
pub const REVISION_LABEL: &str = "chamber.dev/revision";
/// Id of the measurement tuple that a pod attests.
pub const MEASUREMENT_LABEL: &str = "chamber.dev/measurement";
/// `chamber` or `seal`: what a pod is for.
pub const ROLE_LABEL: &str = "chamber.dev/role";
/// The release (image, measurement, revision) as JSON, on its `ReplicaSet`.
pub const RELEASE_ANNOTATION: &str = "chamber.dev/release";

/// The process that may resize a `ReplicaSet`: orders of older ones are void.
pub const FENCE_ANNOTATION: &str = "chamber.dev/fence";

/// Annotation of the seal pod: digest of what it was made from.
pub const SEAL_ANNOTATION: &str = "chamber.dev/seal";

/// Annotation: `true` pauses before the next action, as `spec.rollover.paused` does.
pub const PAUSED_ANNOTATION: &str = "chamber.dev/paused";
/// Annotation: any new value asks once to return to the release before.
pub const ABORT_ANNOTATION: &str = "chamber.dev/abort";
/// Annotation: any new value asks once to try again what failed.
pub const RETRY_ANNOTATION: &str = "chamber.dev/retry";
/// Annotation: lines of `<imageSha384> <why>` give up revocations; the line in `chamber.dev/revoke` must be gone.
pub const UNREVOKE_ANNOTATION: &str = "chamber.dev/unrevoke";
/// Takes over the keys of the owner that the value names: its external id, or its tag where it has none.
pub const TRANSFER_ANNOTATION: &str = "chamber.dev/transfer-from";
/// Annotation: lines of `<imageSha384> <why>`; each takes that image out of every policy at once, for good.
pub const REVOKE_ANNOTATION: &str = "chamber.dev/revoke";
/// Finalizer, there while policies admit two measurements.
pub const FINALIZER: &str = "chamber.dev/one-measurement";

/// The `ReplicaSet` of one release; its id is its revision, with `-g<generation>` from generation 2 on.
pub fn replica_set(cluster: &str, set_id: &str) -> String {
    format!("{cluster}-{set_id}")
}

/// The Secret with the blob bound to one measurement; its id is the measurement's, with `-g<generation>` from generation 2 on.
pub fn sealed_secret(cluster: &str, blob_id: &str) -> String {
    format!("{cluster}-sealed-{blob_id}")
}

/// The Secret with one run manifest; its id is of its body.
pub fn manifest_secret(cluster: &str, id: &str) -> String {
    format!("{cluster}-manifest-{id}")
}

/// The one-shot pod that makes the master key.
pub fn seal_pod(cluster: &str) -> String {
    format!("{cluster}-seal")
}

/// The headless Service (all chambers, sealed ones too).
pub fn headless_service(cluster: &str) -> String {
    format!("{cluster}-headless")
}
