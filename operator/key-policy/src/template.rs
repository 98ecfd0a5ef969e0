//! The five statements of a key that wraps a share of a master key.

use std::collections::BTreeSet;

use measurement::Measurement;
use serde_json::{Map, Value, json};
use strum::{Display, EnumIter, IntoStaticStr};

use crate::{IMAGE_SHA384, Policy};

/// The five statements, by their Sids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumIter, IntoStaticStr)]
pub enum Sid {
    /// Without it, losing the admin role makes the key unrecoverable.
    EnableIAMRootPermissionsBreakGlass,
    /// Lifecycle and policy; no data operations.
    AllowKeyAdministrators,
    /// Decrypt for the enclave role, with a matching attestation only.
    AllowChamberEnclaveDecryptWithAttestation,
    /// Encrypt for the enclave role: Encrypt cannot carry an attestation.
    AllowChamberEnclaveEncryptForWrapping,
    /// No data operation without an attestation, for anybody.
    DenyDataOpsWithoutAttestation,
}

/// What the admins may do.
const ADMIN_ACTIONS: [&str; 14] = [
    "kms:Create*",
    "kms:Describe*",
    "kms:Enable*",
    "kms:List*",
    "kms:Put*",
    "kms:Update*",
    "kms:Revoke*",
    "kms:Disable*",
    "kms:Get*",
    "kms:Delete*",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
];

/// What nobody may do without an attestation.
pub(crate) const DENIED_ACTIONS: [&str; 7] = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// What tells the five statements of one key from those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `aws`, `aws-us-gov` or `aws-cn`.
    pub partition: String,
    /// Account of the key.
    pub key_account: String,
    /// Account of the enclave role.
    pub role_account: String,
    /// Suffix of the enclave role.
    pub cluster_id: String,
    /// The key holder's admin role.
    pub admin_role_arn: String,
    /// Registers to pin beside `ImageSha384`, where every live release has them.
    pub pins: BTreeSet<u8>,
}

impl Template {
    /// `ChamberEnclaveRole-<cluster id>` in its account.
    pub fn enclave_role_arn(&self) -> String {
        format!(
            "arn:{}:iam::{}:role/ChamberEnclaveRole-{}",
            self.partition, self.role_account, self.cluster_id
        )
    }

    /// The root of the key's account.
    pub fn root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.key_account)
    }

    /// The five statements that admit these measurements; none admits nobody.
    pub fn render(&self, live: &[Measurement]) -> Policy {
        let document = json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": Sid::EnableIAMRootPermissionsBreakGlass.to_string(),
                    "Effect": "Allow",
                    "Principal": {"AWS": self.root_arn()},
                    "Action": "kms:*",
                    "Resource": "*"
                },
                {
                    "Sid": Sid::AllowKeyAdministrators.to_string(),
                    "Effect": "Allow",
                    "Principal": {"AWS": self.admin_role_arn},
                    "Action": ADMIN_ACTIONS,
                    "Resource": "*"
                },
                {
                    "Sid": Sid::AllowChamberEnclaveDecryptWithAttestation.to_string(),
                    "Effect": "Allow",
                    "Principal": {"AWS": self.enclave_role_arn()},
                    "Action": "kms:Decrypt",
                    "Resource": "*",
                    "Condition": self.condition(live)
                },
                {
                    "Sid": Sid::AllowChamberEnclaveEncryptForWrapping.to_string(),
                    "Effect": "Allow",
                    "Principal": {"AWS": self.enclave_role_arn()},
                    "Action": "kms:Encrypt",
                    "Resource": "*"
                },
                {
                    "Sid": Sid::DenyDataOpsWithoutAttestation.to_string(),
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": DENIED_ACTIONS,
                    "Resource": "*",
                    "Condition": {"Null": {IMAGE_SHA384: "true"}}
                }
            ]
        });
        let members = document.as_object().cloned().unwrap_or_default();
        Policy::from_document(members).unwrap_or_else(|_| Policy::empty())
    }

    /// The condition of statement 3. A register is pinned only while every live release has it.
    pub(crate) fn condition(&self, live: &[Measurement]) -> Value {
        let mut keys = Map::new();
        keys.insert(
            IMAGE_SHA384.to_owned(),
            values(live.iter().map(|m| m.image_sha384)),
        );
        for index in &self.pins {
            let pinned: Option<Vec<_>> = live.iter().map(|m| m.register(*index).copied()).collect();
            if let Some(pinned) = pinned.filter(|pinned| !pinned.is_empty()) {
                let key = format!("kms:RecipientAttestation:PCR{index}");
                keys.insert(key, values(pinned.into_iter()));
            }
        }
        json!({"StringEqualsIgnoreCase": keys})
    }
}

/// Each value once, in order of first appearance.
fn values(all: impl Iterator<Item = measurement::Pcr>) -> Value {
    let mut seen = Vec::new();
    for pcr in all {
        if !seen.contains(&pcr) {
            seen.push(pcr);
        }
    }
    seen.iter().map(ToString::to_string).collect()
}
