//! What proves that the chambers unseal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What proves that the chambers unseal.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Where the chambers' metrics are.
    pub prometheus: Prometheus,
    /// For how long no attestation may be rejected before Retire, for example `2m`.
    #[serde(default = "super::defaults::soak_time")]
    #[schemars(regex(pattern = r"^([0-9]+(ms|s|m|h))+$"))]
    pub soak_time: String,
    /// Queries of your own in place of the presets.
    #[serde(default)]
    pub queries: Queries,
}

/// A Prometheus server.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Base URL, for example `http://prometheus.monitoring:9090`.
    #[schemars(length(max = 1024), regex(pattern = r"^https?://.+"))]
    pub url: String,
}

/// Queries in place of the presets. Each must give one series a pod with the label `pod`.
///
/// `$namespace`, `$pods` (a regular expression) and `$window` (a duration) are replaced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Queries {
    /// Successful unseals of a pod since its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsealed: Option<String>,
    /// Rejected attestations of a pod within `$window`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}
