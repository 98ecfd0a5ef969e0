//! `GetKeyPolicy`, `PutKeyPolicy`, `ListKeyPolicies`.

use serde_json::{Value, json};

use crate::authorize::Context;
use crate::error::ApiError;
use crate::policy_text;
use crate::wire::Members;

use super::{Answer, Call, page, policy_check};

/// The only policy that can be written.
const NAME: &str = "default";
/// The page that `ListKeyPolicies` gives where none is asked for, and the largest.
const PAGE: page::Sizes = page::Sizes {
    default: 100,
    max: 1000,
};

pub(super) fn get(call: &mut Call<'_>, members: &Members) -> Answer {
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:GetKeyPolicy")?;
    call.authorize(&key_arn, "kms:GetKeyPolicy", Context::new())?;
    check_name(members)?;
    let partition = call.emulator.partition;
    let key = call.key_mut(&key_arn)?;
    let text = policy_text::reserialised(key.policies.shown(), partition, key.policy_reads);
    key.policy_reads = key.policy_reads.wrapping_add(1);
    Ok(Some(json!({ "Policy": text, "PolicyName": NAME })))
}

pub(super) fn put(call: &mut Call<'_>, members: &Members) -> Answer {
    let key_arn = call.named_key(members)?;
    let text = members.required_text("Policy")?;
    let bypass = members.flag("BypassPolicyLockoutSafetyCheck")?;
    call.check_own_account(&key_arn, "kms:PutKeyPolicy")?;
    call.authorize(&key_arn, "kms:PutKeyPolicy", bypass_context(bypass))?;
    check_name(members)?;
    let policy = policy_check::parse(text, &call.emulator.config)?;
    call.note.admitted = Some(policy_check::admitted(text));
    if !bypass {
        // The question is whether this very caller could put yet another policy.
        call.ask(&policy, &key_arn, "kms:PutKeyPolicy", bypass_context(false))
            .map_err(|_| policy_check::lockout())?;
    }
    let text = text.to_owned();
    call.key_mut(&key_arn)?.policies.put(text, policy);
    Ok(None)
}

pub(super) fn list(call: &mut Call<'_>, members: &Members) -> Answer {
    let page = page::asked(members, PAGE)?;
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:ListKeyPolicies")?;
    call.authorize(&key_arn, "kms:ListKeyPolicies", Context::new())?;
    let others = call.key(&key_arn)?.other_policies.iter();
    let names: Vec<Value> = std::iter::once(json!(NAME))
        .chain(others.map(|name| json!(name)))
        .collect();
    Ok(Some(page.of("PolicyNames", &names)?))
}

/// `kms:BypassPolicyLockoutSafetyCheck`.
pub(super) fn bypass_context(bypass: bool) -> Context {
    Context::from([(
        "kms:bypasspolicylockoutsafetycheck".to_owned(),
        vec![bypass.to_string()],
    )])
}

fn check_name(members: &Members) -> Result<(), ApiError> {
    match members.text("PolicyName")? {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(ApiError::client(
            "NotFoundException",
            "No such policy exists",
        )),
    }
}
