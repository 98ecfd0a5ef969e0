//! What a principal's name in a policy stands for.

/// The account that a bare id or the ARN of an account's root stands for.
pub fn account_of_root(name: &str) -> Option<&str> {
    let account = match name.strip_suffix(":root") {
        Some(arn) => arn.strip_prefix("arn:")?.split_once(":iam::")?.1,
        None => name,
    };
    let digits = account.bytes().all(|byte| byte.is_ascii_digit());
    (account.len() == 12 && digits).then_some(account)
}

/// The id that KMS shows in the place of a role (`AROA...`) or user (`AIDA...`) that was deleted (IAM user guide,
/// "Unique identifiers").
pub fn is_deleted(name: &str) -> bool {
    (name.starts_with("AROA") || name.starts_with("AIDA"))
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
