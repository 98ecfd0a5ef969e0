//! `ListGrants`, `RevokeGrant`.

use serde_json::{Value, json};

use crate::authorize::Context;
use crate::config::GrantConfig;
use crate::error::ApiError;
use crate::wire::Members;

use super::{Answer, Call, page};

/// The page that `ListGrants` gives where none is asked for, and the largest.
const PAGE: page::Sizes = page::Sizes {
    default: 50,
    max: 100,
};

pub(super) fn list(call: &mut Call<'_>, members: &Members) -> Answer {
    let page = page::asked(members, PAGE)?;
    let key_arn = call.named_key(members)?;
    call.authorize(&key_arn, "kms:ListGrants", Context::new())?;
    let (id, grantee) = (members.text("GrantId")?, members.text("GranteePrincipal")?);
    let key = call.key(&key_arn)?;
    let wanted = |grant: &&GrantConfig| {
        id.is_none_or(|id| grant.id == id) && grantee.is_none_or(|of| grant.grantee == of)
    };
    let entry = |grant: &GrantConfig| {
        let mut entry = json!({
            "KeyId": key.arn,
            "GrantId": grant.id,
            "GranteePrincipal": grant.grantee,
            "IssuingAccount": format!("arn:{}:iam::{}:root", call.emulator.partition, key.account),
            "CreationDate": key.created.epoch(),
            "Operations": grant.operations,
        });
        if let Some(name) = &grant.name {
            entry["Name"] = json!(name);
        }
        entry
    };
    let grants: Vec<Value> = key.grants.iter().filter(wanted).map(entry).collect();
    Ok(Some(page.of("Grants", &grants)?))
}

pub(super) fn revoke(call: &mut Call<'_>, members: &Members) -> Answer {
    let id = members.required_text("GrantId")?.to_owned();
    let key_arn = call.named_key(members)?;
    call.authorize(&key_arn, "kms:RevokeGrant", Context::new())?;
    let grants = &mut call.key_mut(&key_arn)?.grants;
    let before = grants.len();
    grants.retain(|grant| grant.id != id);
    if grants.len() == before {
        let what = format!("Grant ID {id} not found");
        return Err(ApiError::client("NotFoundException", what));
    }
    Ok(None)
}
