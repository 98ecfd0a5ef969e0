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

/// Tag on a key: `<cluster uid>/<namespace>/<name>` of the `ChamberCluster` that owns it.
pub const OWNER_TAG: &str = "chamber.dev/owner";
/// Tag on a key: the cluster id that its enclave role is named after.
pub const CLUSTER_ID_TAG: &str = "chamber.dev/cluster-id";
/// Tag on a key: the commitment to the master key, there since the first seal.
pub const COMMITMENT_TAG: &str = "chamber.dev/commitment";

/// The `ReplicaSet` of one release.
pub fn replica_set(cluster: &str, revision: &str) -> String {
    format!("{cluster}-{revision}")
}

/// The Secret with the blob bound to one measurement.
pub fn sealed_secret(cluster: &str, measurement_id: &str) -> String {
    format!("{cluster}-sealed-{measurement_id}")
}

/// The one-shot pod that makes the master key.
pub fn seal_pod(cluster: &str) -> String {
    format!("{cluster}-seal")
}

/// The headless Service (all chambers, sealed ones too).
pub fn headless_service(cluster: &str) -> String {
    format!("{cluster}-headless")
}
