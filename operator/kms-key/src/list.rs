//! What goes beside the policy: grants and the names of policies.

use aws_sdk_kms::types::{GrantListEntry, GrantOperation};
use key_policy::{Grant, KeyLists, Unread};

use crate::{Error, Key};

/// Grants on a page: the most that KMS gives.
const PAGE: i32 = 100;

/// All entries of a list, or why it was not read.
pub type Listed<T> = Result<Vec<T>, Unread>;

impl Key<'_> {
    /// The permission of [`Key::policy_names`].
    pub const LIST_POLICIES: &'static str = "kms:ListKeyPolicies";
    /// The permission of [`Key::grants`].
    pub const LIST_GRANTS: &'static str = "kms:ListGrants";

    /// The names of its policies, of all pages: `default`, as KMS documents it.
    pub async fn policy_names(&self) -> Result<Vec<String>, Error> {
        let list = self.client.list_key_policies().key_id(self.arn);
        let mut pages = list.into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            names.push(name.map_err(|error| Error::new(Self::LIST_POLICIES, &error))?);
        }
        Ok(names)
    }

    /// Its grants, of all pages.
    pub async fn grants(&self) -> Result<Vec<Grant>, Error> {
        let list = self.client.list_grants().key_id(self.arn).limit(PAGE);
        let mut pages = list.into_paginator().items().send();
        let mut grants = Vec::new();
        while let Some(entry) = pages.next().await {
            let entry = entry.map_err(|error| Error::new(Self::LIST_GRANTS, &error))?;
            grants.push(grant(entry));
        }
        Ok(grants)
    }
}

/// Both lists, as the lint has them.
pub fn lists(policy_names: Listed<String>, grants: Listed<Grant>) -> KeyLists {
    let unread = [policy_names.as_ref().err(), grants.as_ref().err()];
    KeyLists {
        unread: unread.into_iter().flatten().cloned().collect(),
        policy_names: policy_names.unwrap_or_default(),
        grants: grants.unwrap_or_default(),
    }
}

fn grant(entry: GrantListEntry) -> Grant {
    let operations = entry.operations.unwrap_or_default();
    let grantee = [entry.grantee_principal, entry.grantee_service_principal];
    let operations = operations.iter().map(GrantOperation::as_str);
    Grant::listed(entry.grant_id, entry.name, grantee, operations)
}
