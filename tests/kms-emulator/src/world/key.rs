//! A key: its state, its policies, its tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::Now;
use crate::config::{GrantConfig, PendingDeletionCode};
use crate::error::ApiError;

use super::policies::Policies;
use super::signing::KeySpec;

/// A key.
pub(crate) struct Key {
    pub arn: String,
    pub id: String,
    pub account: String,
    pub spec: KeySpec,
    pub description: String,
    pub created: Now,
    pub state: State,
    pub policies: Policies,
    pub tags: BTreeMap<String, String>,
    pub multi_region: bool,
    /// What principals may do beside the policy.
    pub grants: Vec<GrantConfig>,
    /// Names that are listed beside `default`; nothing enforces them.
    pub other_policies: Vec<String>,
    /// How often the policy was read; makes each reading's order of lists another one.
    pub policy_reads: u64,
}

/// The states that this emulator knows of AWS's eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Enabled,
    Disabled,
    PendingDeletion { at: Now },
}

impl State {
    /// As `DescribeKey` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

impl Key {
    /// Refuses cryptographic use of a key that is not enabled.
    pub fn check_usable(&self, pending: PendingDeletionCode) -> Result<(), ApiError> {
        match (self.state, pending) {
            (State::Enabled, _) => Ok(()),
            (State::Disabled, _) => Err(ApiError::client(
                "DisabledException",
                format!("{} is disabled.", self.arn),
            )),
            (State::PendingDeletion { .. }, PendingDeletionCode::InvalidState) => {
                Err(self.pending_deletion())
            }
            (State::PendingDeletion { .. }, PendingDeletionCode::Disabled) => {
                Err(ApiError::client(
                    "DisabledException",
                    format!("{} is pending deletion.", self.arn),
                ))
            }
        }
    }

    /// Refuses changes to a key that is pending deletion.
    pub fn check_not_pending(&self) -> Result<(), ApiError> {
        match self.state {
            State::PendingDeletion { .. } => Err(self.pending_deletion()),
            State::Enabled | State::Disabled => Ok(()),
        }
    }

    fn pending_deletion(&self) -> ApiError {
        ApiError::client(
            "KMSInvalidStateException",
            format!("{} is pending deletion.", self.arn),
        )
    }

    /// `KeyMetadata`.
    pub fn metadata(&self) -> Value {
        let mut metadata = json!({
            "AWSAccountId": self.account,
            "Arn": self.arn,
            "CreationDate": self.created.epoch(),
            "CustomerMasterKeySpec": self.spec.name(),
            "Description": self.description,
            "Enabled": self.state == State::Enabled,
            "KeyId": self.id,
            "KeyManager": "CUSTOMER",
            "KeySpec": self.spec.name(),
            "KeyState": self.state.name(),
            "KeyUsage": self.spec.usage(),
            "MultiRegion": self.multi_region,
            "Origin": "AWS_KMS",
        });
        match self.spec {
            KeySpec::Symmetric => metadata["EncryptionAlgorithms"] = json!(["SYMMETRIC_DEFAULT"]),
            signing => metadata["SigningAlgorithms"] = json!(signing.algorithms()),
        }
        if let State::PendingDeletion { at } = self.state {
            metadata["DeletionDate"] = json!(at.epoch());
        }
        metadata
    }
}
