//! `CreateKey` and `DescribeKey`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::authorize::{self, Context, Question};
use crate::error::ApiError;
use crate::wire::Members;
use crate::world::key::{Key, State};
use crate::world::policies::Policies;

use super::policies::bypass_context;
use super::{Answer, Call, policy_check, tags};

pub(super) fn create(call: &mut Call<'_>, members: &Members) -> Answer {
    let bypass = members.flag("BypassPolicyLockoutSafetyCheck")?;
    for (member, only) in [
        ("KeyUsage", "ENCRYPT_DECRYPT"),
        ("KeySpec", "SYMMETRIC_DEFAULT"),
        ("Origin", "AWS_KMS"),
    ] {
        if members.text(member)?.is_some_and(|value| value != only) {
            return Err(ApiError::client(
                "UnsupportedOperationException",
                format!("This emulator makes keys with {member} {only} only."),
            ));
        }
    }
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
        description: members.text("Description")?.unwrap_or_default().to_owned(),
        created: call.now,
        state: State::Enabled,
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
