//! ARNs: just the parts that matter here.

pub(crate) use key_policy::Arn;

/// The partition by how the region's name begins (`partitions.json` of AWS's SDKs).
pub(crate) fn partition_of(region: &str) -> &'static str {
    const BEGINNINGS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("eusc-", "aws-eusc"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("us-gov-", "aws-us-gov"),
    ];
    let named = |(beginning, _): &&(&str, &str)| region.starts_with(beginning);
    BEGINNINGS
        .iter()
        .find(named)
        .map_or("aws", |(_, partition)| *partition)
}

/// The ARN under which policies know the caller: a session's role, everybody else's own.
///
/// A session ARN has lost the role's path; a role with a path is therefore found by its last name only.
pub(crate) fn principal_arn(caller: &str) -> String {
    let Some(arn) = Arn::parse(caller) else {
        return caller.to_owned();
    };
    let Some(rest) = arn.resource.strip_prefix("assumed-role/") else {
        return caller.to_owned();
    };
    let role = rest.split('/').next().unwrap_or(rest);
    format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account)
}

/// Whether the text is a 12-digit account id.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_acts_for_its_role() {
        assert_eq!(
            principal_arn("arn:aws:sts::1:assumed-role/R/s"),
            "arn:aws:iam::1:role/R"
        );
        assert_eq!(
            principal_arn("arn:aws:iam::1:user/u"),
            "arn:aws:iam::1:user/u"
        );
        assert_eq!(principal_arn("nonsense"), "nonsense");
    }

    #[test]
    fn texts_that_are_no_arn_are_refused() {
        for text in [
            "",
            "arn",
            "arn:aws:kms:r:1",
            "arn:aws:kms:r:1:",
            "x:a:b:c:d:e",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
        assert_eq!(
            Arn::parse("arn:aws:kms:r:1:key/a:b").unwrap().resource,
            "key/a:b"
        );
    }
}
