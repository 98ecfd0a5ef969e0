//! A key: its state, its policies, its tags.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    pub state: KeyState,
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

/// A key's state, and what cryptographic operations still take it for.
pub(crate) struct KeyState {
    now: State,
    before: State,
    changed_at: Instant,
}

impl KeyState {
    /// A key that is made enabled.
    pub fn enabled() -> Self {
        Self {
            now: State::Enabled,
            before: State::Enabled,
            changed_at: Instant::now(),
        }
    }

    /// What `DescribeKey` shows, and operations on the key itself enforce.
    pub fn shown(&self) -> State {
        self.now
    }

    /// Changes it. What was enforced until then is remembered once: a second change within the delay is none of the rules.
    pub fn set(&mut self, state: State) {
        self.before = self.now;
        self.now = state;
        self.changed_at = Instant::now();
    }

    /// What cryptographic operations enforce.
    fn in_force(&self, delay: Duration) -> State {
        if self.changed_at.elapsed() >= delay {
            self.now
        } else {
            self.before
        }
    }
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
    /// Refuses cryptographic use of a key that is not enabled; a change of its state arrives there so much later.
    pub fn check_usable(
        &self,
        pending: PendingDeletionCode,
        delay: Duration,
    ) -> Result<(), ApiError> {
        match (self.state.in_force(delay), pending) {
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
        match self.state.shown() {
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
            "Enabled": self.state.shown() == State::Enabled,
            "KeyId": self.id,
            "KeyManager": "CUSTOMER",
            "KeySpec": self.spec.name(),
            "KeyState": self.state.shown().name(),
            "KeyUsage": self.spec.usage(),
            "MultiRegion": self.multi_region,
            "Origin": "AWS_KMS",
        });
        match self.spec {
            KeySpec::Symmetric => metadata["EncryptionAlgorithms"] = json!(["SYMMETRIC_DEFAULT"]),
            signing => metadata["SigningAlgorithms"] = json!(signing.algorithms()),
        }
        if let State::PendingDeletion { at } = self.state.shown() {
            metadata["DeletionDate"] = json!(at.epoch());
        }
        metadata
    }
}
