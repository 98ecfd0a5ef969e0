//! `CreateKey` and `DescribeKey`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::authorize::{self, Context, Question};
use crate::error::ApiError;
use crate::wire::Members;
use crate::world::key::{Key, KeyState};
use crate::world::policies::Policies;
use crate::world::signing::KeySpec;

use super::policies::bypass_context;
use super::{Answer, Call, policy_check, tags};

pub(super) fn create(call: &mut Call<'_>, members: &Members) -> Answer {
    let bypass = members.flag("BypassPolicyLockoutSafetyCheck")?;
    let spec = spec(members)?;
    let tags = tags::parse(members)?;
    authorize_creation(call, bypass)?;
    let account = call.caller.principal.account.clone();
    let text = match members.text("Policy")? {
        Some(text) => text.to_owned(),
        None => default_policy(call.emulator.partition, &account),
    };
    let policy = policy_check::parse(&text, &call.emulator.config)?;
    let id = random_id()?;
    let arn = call.emulator.key_arn(&account, &id);
    let key = Key {
        arn: arn.clone(),
        id,
        account,
        spec,
        description: members.text("Description")?.unwrap_or_default().to_owned(),
        created: call.now,
        state: KeyState::enabled(),
        policies: Policies::new(text, policy),
        tags,
        multi_region: members.flag("MultiRegion")?,
        grants: Vec::new(),
        other_policies: Vec::new(),
        policy_reads: 0,
    };
    let metadata = key.metadata();
    let policy = key.policies.control();
    call.world.keys.insert(arn.clone(), key);
    call.note.key = Some(arn.clone());
    if !bypass
        && call
            .ask(&policy, &arn, "kms:PutKeyPolicy", bypass_context(false))
            .is_err()
    {
        call.world.keys.remove(&arn);
        return Err(policy_check::lockout());
    }
    Ok(Some(json!({ "KeyMetadata": metadata })))
}

pub(super) fn describe(call: &mut Call<'_>, members: &Members) -> Answer {
    let key_arn = call.named_key(members)?;
    call.authorize(&key_arn, "kms:DescribeKey", Context::new())?;
    Ok(Some(
        json!({ "KeyMetadata": call.key(&key_arn)?.metadata() }),
    ))
}

/// What kind of key is asked for; its usage has to be the one that this kind has.
fn spec(members: &Members) -> Result<KeySpec, ApiError> {
    let unsupported = |what: String| ApiError::client("UnsupportedOperationException", what);
    if members
        .text("Origin")?
        .is_some_and(|value| value != "AWS_KMS")
    {
        let what = "This emulator makes keys with Origin AWS_KMS only.";
        return Err(unsupported(what.to_owned()));
    }
    let name = members.text("KeySpec")?.unwrap_or("SYMMETRIC_DEFAULT");
    let spec = KeySpec::parse(name)
        .ok_or_else(|| unsupported(format!("This emulator makes no keys with KeySpec {name}.")))?;
    let usage = members.text("KeyUsage")?.unwrap_or("ENCRYPT_DECRYPT");
    if usage == spec.usage() {
        return Ok(spec);
    }
    Err(ApiError::validation(format!(
        "KeyUsage {usage} is not compatible with KeySpec {name}"
    )))
}

/// There is no key policy yet, so IAM alone decides.
fn authorize_creation(call: &Call<'_>, bypass: bool) -> Result<(), ApiError> {
    let mut context = authorize::base_context(call.caller, &call.emulator.config.region, call.now);
    context.extend(bypass_context(bypass));
    let question = Question {
        caller: call.caller,
        action: "kms:CreateKey",
        resource: "*",
        owner: &call.caller.principal.account,
        context: &context,
    };
    authorize::identity(&call.emulator.identities, &question)
}

/// What KMS gives a key that is made without a policy.
fn default_policy(partition: &str, account: &str) -> String {
    let statement = BTreeMap::from([
        ("Sid", json!("Enable IAM User Permissions")),
        ("Effect", json!("Allow")),
        (
            "Principal",
            json!({ "AWS": format!("arn:{partition}:iam::{account}:root") }),
        ),
        ("Action", json!("kms:*")),
        ("Resource", json!("*")),
    ]);
    json!({ "Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement] }).to_string()
}

/// A random UUID.
fn random_id() -> Result<String, ApiError> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| ApiError::internal("no random bytes"))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    Ok([
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-"))
}
