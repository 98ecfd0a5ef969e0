//! The five statements of a key that wraps a share of a master key.

use std::collections::{BTreeMap, BTreeSet};

use measurement::{Measurement, Pcr};
use strum::{Display, EnumIter, IntoStaticStr};

use crate::IMAGE_SHA384;
use crate::profile::Profile;
use crate::statement::{Condition, Effect, Match, Principals, Statement};

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
pub(crate) const ADMIN_ACTIONS: [&str; 14] = [
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
    /// One of [`crate::PARTITIONS`].
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
    /// How much the policy binds.
    pub profile: Profile,
    /// ARN of the key, where it is known.
    pub key_arn: Option<String>,
    /// What holds for every request of a chamber, by condition key; an empty text is an absent key. It counts where
    /// lock-out is judged, and nowhere else.
    pub assume: BTreeMap<String, String>,
}

impl Template {
    /// The seed's: everything in one account, the admin role `ChamberKmsKeyAdmin`, nothing pinned, Standard.
    pub fn in_account(partition: &str, account: &str, cluster_id: &str) -> Self {
        Self {
            partition: partition.to_owned(),
            key_account: account.to_owned(),
            role_account: account.to_owned(),
            cluster_id: cluster_id.to_owned(),
            admin_role_arn: format!("arn:{partition}:iam::{account}:role/ChamberKmsKeyAdmin"),
            pins: BTreeSet::new(),
            profile: Profile::Standard,
            key_arn: None,
            assume: BTreeMap::new(),
        }
    }

    /// `ChamberEnclaveRole-<cluster id>` in its account.
    pub fn enclave_role_arn(&self) -> String {
        format!(
            "arn:{}:iam::{}:role/ChamberEnclaveRole-{}",
            self.partition, self.role_account, self.cluster_id
        )
    }

    /// The ARN of the key; a star stands for each part of it that is not known.
    pub fn resource(&self) -> String {
        self.key_arn
            .clone()
            .unwrap_or_else(|| format!("arn:{}:kms:*:{}:key/*", self.partition, self.key_account))
    }

    /// The root of the key's account.
    pub fn root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.key_account)
    }

    /// The principal of one of the five statements.
    pub(crate) fn principal(&self, sid: Sid) -> String {
        match sid {
            Sid::EnableIAMRootPermissionsBreakGlass => self.root_arn(),
            Sid::AllowKeyAdministrators => self.admin_role_arn.clone(),
            Sid::AllowChamberEnclaveDecryptWithAttestation
            | Sid::AllowChamberEnclaveEncryptForWrapping => self.enclave_role_arn(),
            Sid::DenyDataOpsWithoutAttestation => "*".to_owned(),
        }
    }

    /// The statements of every profile.
    pub(crate) fn five_statements(&self, live: &[Measurement]) -> Vec<Statement> {
        let statement = |sid, actions| allow(sid, &self.principal(sid), actions);
        vec![
            statement(Sid::EnableIAMRootPermissionsBreakGlass, &["kms:*"]),
            statement(Sid::AllowKeyAdministrators, &ADMIN_ACTIONS),
            Statement {
                conditions: self.conditions(live),
                ..statement(
                    Sid::AllowChamberEnclaveDecryptWithAttestation,
                    &["kms:Decrypt"],
                )
            },
            statement(Sid::AllowChamberEnclaveEncryptForWrapping, &["kms:Encrypt"]),
            Statement {
                effect: Effect::Deny,
                conditions: vec![Condition {
                    operator: "Null".to_owned(),
                    key: IMAGE_SHA384.to_owned(),
                    values: vec!["true".to_owned()],
                }],
                ..statement(Sid::DenyDataOpsWithoutAttestation, &DENIED_ACTIONS)
            },
        ]
    }

    /// The conditions of statement 3. A register is pinned only while every live release has it.
    ///
    /// No list is empty: what KMS makes of one is uncertain, so [`Pcr::NOBODY`] stands where no image is admitted.
    pub(crate) fn conditions(&self, live: &[Measurement]) -> Vec<Condition> {
        let images = live.iter().map(|measurement| measurement.image_sha384);
        let nobody = live.is_empty().then_some(Pcr::NOBODY);
        let mut conditions = vec![equals(IMAGE_SHA384.to_owned(), images.chain(nobody))];
        for index in &self.pins {
            let pinned: Option<Vec<_>> = live.iter().map(|m| m.register(*index).copied()).collect();
            if let Some(pinned) = pinned.filter(|pinned| !pinned.is_empty()) {
                let key = format!("kms:RecipientAttestation:PCR{index}");
                conditions.push(equals(key, pinned.into_iter()));
            }
        }
        conditions
    }
}

fn allow(sid: Sid, principal: &str, actions: &[&str]) -> Statement {
    Statement {
        sid: Some(sid.to_string()),
        effect: Effect::Allow,
        principals: Some(listed(Principals::from([(
            "AWS".to_owned(),
            vec![principal.to_owned()],
        )]))),
        actions: Some(listed(
            actions.iter().map(|action| (*action).to_owned()).collect(),
        )),
        resources: Some(listed(vec!["*".to_owned()])),
        conditions: Vec::new(),
    }
}

fn listed<T>(listed: T) -> Match<T> {
    Match {
        negated: false,
        listed,
    }
}

/// Each value once, in order of first appearance: two releases may share a certificate.
pub(crate) fn equals(key: String, pcrs: impl Iterator<Item = Pcr>) -> Condition {
    let mut values = Vec::new();
    for value in pcrs.map(|pcr| pcr.to_string()) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Condition {
        operator: "StringEqualsIgnoreCase".to_owned(),
        key,
        values,
    }
}
