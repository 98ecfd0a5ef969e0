//! ARNs of KMS keys.

/// The parts of a key ARN.
pub struct Arn<'a> {
    /// `aws`, `aws-us-gov` or `aws-cn`.
    pub partition: &'a str,
    /// Region of the key.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `arn:<partition>:kms:<region>:<account>:key/<id>`.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<_> = arn.split(':').collect();
        let ["arn", partition, "kms", region, account, key] = parts[..] else {
            return None;
        };
        let id = key.strip_prefix("key/")?;
        let well_formed = account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && !region.is_empty()
            && !id.is_empty();
        well_formed.then_some(Self {
            partition,
            region,
            account,
        })
    }
}
