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
        let parts = key_policy::Arn::parse(arn)?;
        let id = parts.resource.strip_prefix("key/")?;
        let well_formed = parts.service == "kms"
            && parts.has_account()
            && !parts.region.is_empty()
            && !id.is_empty()
            && !id.contains(':');
        well_formed.then_some(Self {
            partition: parts.partition,
            region: parts.region,
            account: parts.account,
        })
    }
}
