//! What proves that the chambers unseal.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What proves that the chambers unseal.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Where the chambers' metrics are.
    pub prometheus: Prometheus,
    /// Whether each chamber of a release must prove itself by an attestation document before Retire. Without it: `Preferred` with Managed sealing, `Disabled` with External.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
    /// For how long no attestation may be rejected before Retire, for example `2m`.
    #[serde(default = "super::defaults::soak_time")]
    #[schemars(regex(pattern = r"^([0-9]+(ms|s|m|h))+$"))]
    pub soak_time: String,
    /// Queries of your own in place of the presets.
    #[serde(default)]
    pub queries: Queries,
}

/// Whether Verify rests on what chambers attest. A document that proves something else than the release stops in both.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// Every chamber must attest.
    Required,
    /// Every chamber is asked; silence passes until a release of this cluster has attested for the first time.
    Preferred,
    /// No chamber is asked. (Not `Off`: without quotes that is `false` in the YAML that kubectl and helm read.)
    Disabled,
}

/// A Prometheus server, or what speaks its query API.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.url.matches('^[^/]*//[^/?#]*@')")
    .message("url must not hold a user name or a password: put them into the Secret that credentialsSecret names")
    .field_path(".url")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("!self.url.matches('[?#]')")
    .message("url must not have a query or a fragment: it is the base of the API's paths")
    .field_path(".url")
    .reason(Reason::FieldValueInvalid))]
pub struct Prometheus {
    /// Base URL, for example `http://prometheus.monitoring:9090`. The operator's configuration may allow some URLs only.
    #[schemars(length(max = 1024), regex(pattern = r"^https?://.+"))]
    pub url: String,
    /// Secret of type `chamber.dev/prometheus` in this namespace: `url` (the same as above), and `token`, `username` with `password`, `ca.crt` or `header.<Name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
    )]
    pub credentials_secret: Option<String>,
}

/// Queries in place of the presets. Each must give one series a pod with the label `pod`.
///
/// `$namespace`, `$pods` (a regular expression) and `$window` (a duration) are replaced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Queries {
    /// Successful unseals of a pod since its start. A plain selector, `name{label="value",...}`: the times of its samples are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub unsealed: Option<String>,
    /// Rejected attestations of a pod within `$window`: 0 where there was none. A counter that appears with the first rejection needs `or` with a series that is always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub rejected: Option<String>,
}
