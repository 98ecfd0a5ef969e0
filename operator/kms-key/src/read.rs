//! State, policy and tags.

use std::collections::BTreeMap;

use aws_sdk_kms::types::{KeyMetadata, KeyState, KeyUsageType, OriginType};
use key_policy::{KeyFacts, KeyLists};

use crate::{Error, Key};

impl Key<'_> {
    /// What the key says of itself (`DescribeKey`); none where the answer has nothing of it.
    pub async fn metadata(&self) -> Result<Option<KeyMetadata>, Error> {
        let answer = self.client.describe_key().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| Error::new("kms:DescribeKey", &error))?;
        Ok(answer.key_metadata)
    }

    /// The text of its policy (`GetKeyPolicy`).
    pub async fn policy(&self) -> Result<String, Error> {
        let answer = self.client.get_key_policy().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| Error::new("kms:GetKeyPolicy", &error))?;
        Ok(answer.policy.unwrap_or_default())
    }

    /// Its tags, of all pages (`ListResourceTags`).
    pub async fn tags(&self) -> Result<BTreeMap<String, String>, Error> {
        let list = self.client.list_resource_tags().key_id(self.arn);
        let mut pages = list.into_paginator().items().send();
        let mut tags = BTreeMap::new();
        while let Some(tag) = pages.next().await {
            let tag = tag.map_err(|error| Error::new("kms:ListResourceTags", &error))?;
            tags.insert(tag.tag_key, tag.tag_value);
        }
        Ok(tags)
    }
}

/// What the lint looks at beside the policy; what KMS does not say is `(unknown)`.
pub fn facts(metadata: &KeyMetadata, lists: KeyLists) -> KeyFacts {
    let text = |text: Option<&str>| text.unwrap_or("(unknown)").to_owned();
    KeyFacts {
        multi_region: metadata.multi_region().unwrap_or(false),
        origin: text(metadata.origin().map(OriginType::as_str)),
        usage: text(metadata.key_usage().map(KeyUsageType::as_str)),
        state: text(metadata.key_state().map(KeyState::as_str)),
        lists,
    }
}
