//! What a principal's name in a policy stands for.

use crate::arn::Arn;

/// The account that a bare id or the ARN of an account's root stands for.
pub fn account_of_root(name: &str) -> Option<&str> {
    let account = if name.ends_with(":root") {
        let arn = Arn::parse(name)?;
        let is_root = arn.service == "iam" && arn.region.is_empty() && arn.resource == "root";
        is_root.then_some(arn.account)?
    } else {
        name
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_its_id_or_the_arn_of_its_root_and_nothing_alike() {
        for name in [
            "111122223333",
            "arn:aws:iam::111122223333:root",
            "arn:aws-cn:iam::111122223333:root",
        ] {
            assert_eq!(account_of_root(name), Some("111122223333"), "{name}");
        }
        for name in [
            "11112222333",
            "1111222233334",
            "11112222333x",
            "arn:aws:iam::1:root",
            "arn:aws:sts::111122223333:root",
            "arn:aws:iam:eu-west-1:111122223333:root",
            "arn:aws:iam::111122223333:role/a:root",
            "urn:aws:iam::111122223333:root",
            ":root",
        ] {
            assert_eq!(account_of_root(name), None, "{name}");
        }
    }
}
