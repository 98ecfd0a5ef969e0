//! The configuration file: who exists, what they hold, and which keys there are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arn;
pub use crate::world::signing::KeySpec;

/// The whole file; JSON in camel case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The one region that is served, such as `us-east-1`.
    pub region: String,
    /// Account ids that exist; a policy naming a principal of another one is refused. Empty: every account exists.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Root certificate of the security modules whose documents are believed, PEM.
    pub nitro_root_pem: String,
    /// Greatest age of an attestation document in seconds.
    #[serde(default = "default_attestation_age")]
    pub attestation_max_age_seconds: u64,
    /// Long-lived credentials, and sessions that were made before the emulator started.
    #[serde(default)]
    pub credentials: Vec<CredentialConfig>,
    /// Roles that can be assumed.
    #[serde(default)]
    pub roles: Vec<RoleConfig>,
    /// IAM policies of roles and users.
    #[serde(default)]
    pub identity_policies: Vec<IdentityPolicyConfig>,
    /// Keys that exist from the start.
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// Whether a key's state is looked at before the caller's permission (AWS documents neither order).
    #[serde(default)]
    pub state_before_authorization: bool,
    /// Which of the two documented codes a key pending deletion answers with.
    #[serde(default)]
    pub pending_deletion_code: PendingDeletionCode,
    /// What KMS answers with over TLS, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
}

/// Names and key of the port that speaks TLS.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those between it and the root, PEM.
    pub certificate_pem: String,
    /// Its private key, PKCS #8 in PEM.
    pub key_pem: String,
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// The code of a cryptographic call on a key that is pending deletion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PendingDeletionCode {
    /// What recordings of AWS's answers show.
    #[default]
    #[serde(rename = "KMSInvalidStateException")]
    InvalidState,
    /// The other one that the documentation lists.
    #[serde(rename = "DisabledException")]
    Disabled,
}

/// One access key and whose it is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialConfig {
    /// `AKIA...` for users and roots, `ASIA...` for sessions; any text works.
    pub access_key_id: String,
    /// The secret that requests are signed with.
    pub secret_access_key: String,
    /// The token that a session's requests must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// ARN of the user, account root or assumed-role session.
    pub principal: String,
}

impl std::fmt::Debug for CredentialConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialConfig")
            .field("access_key_id", &self.access_key_id)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// A role and who may assume it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleConfig {
    /// `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// The trust policy document.
    pub trust: Value,
}

/// An IAM policy attached to a role or user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityPolicyConfig {
    /// ARN of the role or user (of the role also for its sessions).
    pub principal: String,
    /// The policy document.
    pub document: Value,
}

/// A key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyConfig {
    /// The id, the last part of the ARN; the key material is derived from it.
    pub id: String,
    /// The account that owns it.
    pub account: String,
    /// `SYMMETRIC_DEFAULT`, or what keys that sign are: `ECC_NIST_P384`, `ECC_NIST_EDWARDS25519`.
    #[serde(default)]
    pub key_spec: KeySpec,
    /// The key policy document.
    pub policy: Value,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What `DescribeKey` says of it.
    #[serde(default)]
    pub multi_region: bool,
    /// Its grants.
    #[serde(default)]
    pub grants: Vec<GrantConfig>,
    /// What `ListKeyPolicies` names beside `default`; what such a policy says is not known here.
    #[serde(default)]
    pub other_policies: Vec<String>,
}

/// A grant, without constraints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantConfig {
    /// `GrantId`.
    pub id: String,
    /// `Name`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ARN of the role, user or session that gets the permissions.
    pub grantee: String,
    /// Such as `Decrypt`.
    pub operations: Vec<String>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file is not JSON of this shape.
    #[error("configuration: {0}")]
    Shape(#[from] serde_json::Error),
    /// A value is there but cannot be used.
    #[error("configuration, {field}: {what}")]
    Value {
        /// The path of the member, such as `keys[0].policy`.
        field: String,
        /// What was found and what to do.
        what: String,
    },
}

impl ConfigError {
    /// A fault of one member.
    pub(crate) fn value(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Value {
            field: field.into(),
            what: what.into(),
        }
    }
}

impl Config {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.display().to_string(),
            error,
        })?;
        Self::parse(&text)
    }

    /// Reads JSON text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The partition that the region belongs to.
    pub fn partition(&self) -> &'static str {
        arn::partition_of(&self.region)
    }
}

const fn default_attestation_age() -> u64 {
    300
}
