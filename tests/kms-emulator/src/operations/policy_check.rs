//! What a policy has to be before KMS stores it.

use key_policy::Policy;
use measurement::Pcr;
use serde_json::Value;

use crate::arn::{self, Arn};
use crate::config::Config;
use crate::error::ApiError;

/// The quota of a policy's size.
const MAX_BYTES: usize = 32 * 1024;
/// The bound in the request's model.
const MAX_CHARACTERS: usize = 131_072;

/// Parses a policy's text and refuses what KMS refuses.
pub(super) fn parse(text: &str, config: &Config) -> Result<Policy, ApiError> {
    let characters = text.chars().count();
    if !(1..=MAX_CHARACTERS).contains(&characters) {
        return Err(ApiError::constraint(
            "(text)",
            "policy",
            "have length between 1 and 131072",
        ));
    }
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    if !text.chars().all(allowed) {
        return Err(ApiError::constraint(
            "(text)",
            "policy",
            r"satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+",
        ));
    }
    if text.len() > MAX_BYTES {
        return Err(ApiError::client(
            "LimitExceededException",
            format!(
                "The key policy has {} bytes; the quota is {MAX_BYTES}.",
                text.len()
            ),
        ));
    }
    let policy = Policy::parse(text)
        .map_err(|error| malformed(format!("The new key policy is not valid: {error}")))?;
    let document: Value = serde_json::from_str(text)
        .map_err(|error| malformed(format!("The new key policy is not valid: {error}")))?;
    if let Some(why) = key_policy::malformed(&policy) {
        return Err(malformed(format!("The new key policy is not valid: {why}")));
    }
    if !statements(&document).all(|statement| principals_exist(statement, config)) {
        return Err(malformed(
            "Policy contains a statement with one or more invalid principals.",
        ));
    }
    Ok(policy)
}

/// The refusal of a policy that its author could not change again.
pub(super) fn lockout() -> ApiError {
    malformed("The new key policy will not allow you to update the key policy in the future.")
}

/// The `ImageSha384` values in the conditions of Allow statements, in order, for the audit log; without the value
/// that stands where no image is admitted.
pub(super) fn admitted(text: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let mut found = Vec::new();
    for statement in statements(&document) {
        if statement["Effect"] != "Allow" {
            continue;
        }
        let operators = statement["Condition"].as_object().into_iter().flatten();
        let keys = operators.flat_map(|(_, keys)| keys.as_object().into_iter().flatten());
        for (_, values) in keys.filter(|(key, _)| is_image(key)) {
            found.extend(texts(values).map(str::to_lowercase));
        }
    }
    let nobody = Pcr::NOBODY.to_string();
    found.retain(|image| *image != nobody);
    found.sort();
    found.dedup();
    found
}

fn is_image(key: &str) -> bool {
    key.eq_ignore_ascii_case("kms:RecipientAttestation:ImageSha384")
}

fn statements(document: &Value) -> impl Iterator<Item = &Value> {
    one_or_many(&document["Statement"])
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array();
    let one = many.is_none().then_some(value);
    many.into_iter().flatten().chain(one)
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    one_or_many(value).filter_map(Value::as_str)
}

fn principals_exist(statement: &Value, config: &Config) -> bool {
    ["Principal", "NotPrincipal"].iter().all(|member| {
        texts(&statement[*member]["AWS"]).all(|principal| principal_exists(principal, config))
    })
}

/// `*`, an account, or an ARN of an account that exists. Unique ids of deleted roles are no principals.
fn principal_exists(principal: &str, config: &Config) -> bool {
    let known = |account: &str| {
        arn::is_account(account)
            && (config.accounts.is_empty() || config.accounts.iter().any(|a| a == account))
    };
    if principal == "*" || known(principal) {
        return true;
    }
    Arn::parse(principal).is_some_and(|arn| {
        let kinds: &[&str] = match arn.service {
            "iam" => &["root", "role/", "user/"],
            "sts" => &["assumed-role/", "federated-user/"],
            _ => &[],
        };
        arn.partition == config.partition()
            && kinds.iter().any(|kind| arn.resource.starts_with(kind))
            && !arn.resource.contains(['*', '?'])
            && known(arn.account)
    })
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::client("MalformedPolicyDocumentException", message)
}
