//! The full ARN of a KMS key: the one place in the enclave's programs that takes one apart.

/// `arn:<partition>:kms:<region>:<account>:key/<id>`. No alias: that can be pointed at another key by whoever may update it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyArn<'a> {
    /// `aws`, `aws-cn`, ...
    pub partition: &'a str,
    /// For example `eu-west-1`.
    pub region: &'a str,
}

impl<'a> KeyArn<'a> {
    /// Takes it apart; `None` where it is no full ARN of a key.
    pub fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, "kms", region, account, resource] = parts.as_slice() else {
            return None;
        };
        let id = resource.strip_prefix("key/")?;
        let whole = [partition, region, account]
            .iter()
            .all(|part| !part.is_empty());
        (whole && !id.is_empty()).then_some(Self { partition, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_arn_of_a_key_and_nothing_else() {
        let found = KeyArn::parse("arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1");
        assert_eq!(
            found.map(|arn| (arn.partition, arn.region)),
            Some(("aws-cn", "cn-north-1"))
        );
        for other in [
            "",
            "arn:aws:kms:eu-west-1:111122223333:alias/master",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms::111122223333:key/1",
            "arn::kms:eu-west-1:111122223333:key/1",
            "arn:aws:kms:eu-west-1::key/1",
            "arn:aws:s3:eu-west-1:111122223333:key/1",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
        ] {
            assert_eq!(KeyArn::parse(other), None, "{other}");
        }
    }
}
