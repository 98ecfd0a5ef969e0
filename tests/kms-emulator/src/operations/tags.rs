//! `TagResource`, `UntagResource`, `ListResourceTags`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::authorize::Context;
use crate::error::ApiError;
use crate::wire::Members;

use super::{Answer, Call};

/// The most tags that a key can have.
const MAX_TAGS: usize = 50;

pub(super) fn tag(call: &mut Call<'_>, members: &Members) -> Answer {
    let tags = parse(members)?;
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:TagResource")?;
    let mut context: Context = tags
        .iter()
        .map(|(name, value)| {
            let key = format!("aws:requesttag/{}", name.to_lowercase());
            (key, vec![value.clone()])
        })
        .collect();
    context.insert("aws:tagkeys".to_owned(), tags.keys().cloned().collect());
    call.authorize(&key_arn, "kms:TagResource", context)?;
    let key = call.key_mut(&key_arn)?;
    key.check_not_pending()?;
    let mut all = key.tags.clone();
    all.extend(tags);
    if all.len() > MAX_TAGS {
        return Err(ApiError::client("LimitExceededException", "Too many tags."));
    }
    key.tags = all;
    Ok(None)
}

pub(super) fn untag(call: &mut Call<'_>, members: &Members) -> Answer {
    let names = members.texts("TagKeys")?;
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:UntagResource")?;
    let context = Context::from([("aws:tagkeys".to_owned(), names.clone())]);
    call.authorize(&key_arn, "kms:UntagResource", context)?;
    let key = call.key_mut(&key_arn)?;
    key.check_not_pending()?;
    key.tags.retain(|name, _| !names.contains(name));
    Ok(None)
}

pub(super) fn list(call: &mut Call<'_>, members: &Members) -> Answer {
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:ListResourceTags")?;
    call.authorize(&key_arn, "kms:ListResourceTags", Context::new())?;
    let tags: Vec<Value> = call
        .key(&key_arn)?
        .tags
        .iter()
        .map(|(name, value)| json!({ "TagKey": name, "TagValue": value }))
        .collect();
    Ok(Some(json!({ "Tags": tags, "Truncated": false })))
}

/// The request's `Tags`.
pub(super) fn parse(members: &Members) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in members.structures("Tags")? {
        let name = tag.required_text("TagKey")?;
        let value = tag.required_text("TagValue")?;
        if !(1..=128).contains(&name.chars().count()) || value.chars().count() > 256 {
            return Err(ApiError::client(
                "TagException",
                "A tag key has 1 to 128 characters, a tag value at most 256.",
            ));
        }
        if name.starts_with("aws:") {
            return Err(ApiError::client(
                "TagException",
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if tags.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::client("TagException", "Duplicate tag keys"));
        }
    }
    Ok(tags)
}
