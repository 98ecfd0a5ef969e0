//! What Prometheus is asked.

use chamber_api::{ChamberCluster, Sealing};
use jiff::SignedDuration;
use kube::ResourceExt;

/// Successful unseals of each pod since its start.
const UNSEALED: &str =
    r#"chamber_tee_unseal_total{status="success",namespace="$namespace",pod=~"$pods"}"#;
/// Rejected attestations of each pod within the window: the counter now, less what it was when the window began. A
/// counter that was not there then, or was higher, began at 0 within the window.
const REJECTED: &str = r#"kms_attestation_rejected{namespace="$namespace",pod=~"$pods"} - (kms_attestation_rejected{namespace="$namespace",pod=~"$pods"} offset $window <= kms_attestation_rejected{namespace="$namespace",pod=~"$pods"} or 0 * kms_attestation_rejected{namespace="$namespace",pod=~"$pods"})"#;
/// Shares that each pod opened, by key.
const OPENED: &str =
    r#"chamber_tee_share_total{result="opened",namespace="$namespace",pod=~"$pods"}"#;

/// The queries, filled in.
pub struct Queries {
    /// Successful unseals since the start.
    pub unsealed: String,
    /// When that was sampled.
    pub sampled: String,
    /// When it was sampled that was 1 or more already when the window began.
    pub before: String,
    /// Rejections within the window.
    pub rejected: String,
    /// When it was sampled that a share is open, by pod and key; with Managed sealing only.
    pub opened: Option<String>,
}

impl Queries {
    /// The presets, or the resource's own.
    pub fn of(cluster: &ChamberCluster, window: SignedDuration) -> Self {
        let own = &cluster.spec.verification.queries;
        let namespace = cluster.namespace().unwrap_or_default();
        let pods = format!("{}-[0-9a-f]{{10}}-.+", cluster.name_any());
        // A duration of 0 is an error.
        let soaked = format!("{}ms", window.as_millis().max(1));
        let window = format!("{}s", window.as_secs().max(1));
        let fill = |query: &str| {
            query
                .replace("$namespace", &namespace)
                .replace("$pods", &pods)
                .replace("$window", &window)
        };
        let unsealed = fill(own.unsealed.as_deref().unwrap_or(UNSEALED));
        let opened = fill(OPENED);
        Self {
            sampled: format!("timestamp({unsealed})"),
            before: format!(
                "timestamp({unsealed} offset {soaked}) and ({unsealed} offset {soaked} >= 1)"
            ),
            rejected: fill(own.rejected.as_deref().unwrap_or(REJECTED)),
            opened: (cluster.spec.sealing == Sealing::Managed)
                .then(|| format!("timestamp({opened}) and ({opened} >= 1)")),
            unsealed,
        }
    }
}

#[cfg(test)]
mod tests;
